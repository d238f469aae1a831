/**
 * A figure that a block made (confusion matrix, ROC, profile), drawn in the theme of the page.
 *
 * Takes Plotly JSON as the engine writes it; colours of page, text and grid are the theme's.
 */
import { useEffect, useRef, useState } from "react";
import { msg, t } from "../i18n";
import type { PlotlyFigureJson } from "../lib/types";
import { EmptyState, LoadingState } from "../ui/states";
import "./charts.css";
import { atRest, clear, draw } from "./drawing";
import { loadPlotly, type Plotly } from "./loadPlotly";
import { baseLayout, color, useThemeGeneration, withAlpha } from "./theme";
import { useInView } from "./useInView";

export interface FigurePoint {
  x: unknown;
  y: unknown;
  z?: unknown;
  pointNumber?: number | [number, number];
  curveNumber?: number;
  customdata?: unknown;
}

export interface PlotlyFigureProps {
  figure: PlotlyFigureJson;
  label: string;
  height?: number;
  onPoint?: (point: FigurePoint) => void;
}

const DRAWN = new Set(["scatter", "scattergl", "bar", "heatmap", "parcoords", "histogram"]);

function merge(base: Record<string, unknown>, own: Record<string, unknown> | undefined): Record<string, unknown> {
  const out = { ...base };
  for (const [key, value] of Object.entries(own ?? {})) {
    const before = out[key];
    const both = [before, value].every((one) => typeof one === "object" && one !== null && !Array.isArray(one));
    out[key] = both ? merge(before as Record<string, unknown>, value as Record<string, unknown>) : value;
  }
  return out;
}

/** The titles of the axes and the names that the studio gave, in the language of the page. */
export function inWords(layout: Record<string, unknown>): Record<string, unknown> {
  const out = { ...layout };
  const heading = (layout.title as { text?: string } | undefined)?.text;
  if (heading) {
    out.title = { ...(layout.title as object), text: t(heading) };
  }
  for (const [key, axis] of Object.entries(layout)) {
    const title = (axis as { title?: string | { text?: string } } | undefined)?.title;
    const text = typeof title === "string" ? title : title?.text;
    if (/^[xy]axis\d*$/.test(key) && text) {
      out[key] = { ...(axis as object), title: { ...(typeof title === "object" ? title : {}), text: t(text) } };
    }
  }
  return out;
}

/** Figure and theme in one: later x and y axes get the theme too, and a heat map the accent's scale. */
export function themedFigure(figure: PlotlyFigureJson): PlotlyFigureJson {
  const base = baseLayout();
  const own = { ...figure.layout };
  delete own.template;
  const axes = Object.keys(own).filter((key) => /^[xy]axis\d*$/.test(key));
  const layout = merge({ ...base, ...Object.fromEntries(axes.map((key) => [key, base.xaxis])) }, own);
  const accent = color("--series-1");
  const data = figure.data.map((trace) =>
    trace.type === "heatmap"
      ? {
          ...trace,
          colorscale: [
            [0, withAlpha(accent, 0.04)],
            [1, accent],
          ],
          xgap: 1,
          ygap: 1,
        }
      : trace,
  );
  return { data: data.map(named), layout: { ...inWords(layout), autosize: false } };
}

const OWN_NAMES = new Set([msg("chance"), msg("On the front"), msg("Beaten"), msg("Refused")]);

/** A name of the studio's own, such as "chance", is a text, and so is the title of a colour bar; that of a class stays. */
function named<Trace extends PlotlyFigureJson["data"][number]>(trace: Trace): Trace {
  const bar = trace.colorbar as { title?: string | { text?: string } } | undefined;
  const title = typeof bar?.title === "string" ? bar.title : bar?.title?.text;
  return {
    ...trace,
    ...(OWN_NAMES.has(String(trace.name)) ? { name: t(String(trace.name)) } : {}),
    ...(title ? { colorbar: { ...bar, title: { text: t(title) } } } : {}),
  };
}

export function PlotlyFigure({ figure, label, height = 360, onPoint }: PlotlyFigureProps) {
  const box = useRef<HTMLDivElement>(null);
  const host = useRef<HTMLDivElement>(null);
  const inView = useInView(box);
  const theme = useThemeGeneration();
  const [plotly, setPlotly] = useState<Plotly | null>(null);
  const [width, setWidth] = useState(0);
  const clicked = useRef(onPoint);
  clicked.current = onPoint;

  useEffect(() => {
    if (!inView) {
      return;
    }
    // Live curves go first: a figure draws when the page has a moment to spare.
    const idle = window.requestIdleCallback ?? ((run: () => void) => window.setTimeout(run, 50));
    const cancel = window.cancelIdleCallback ?? window.clearTimeout;
    const wait = idle(() => void loadPlotly().then(setPlotly), { timeout: 1000 });
    return () => cancel(wait);
  }, [inView]);

  useEffect(() => {
    const element = box.current;
    if (!element) {
      return;
    }
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new theme needs a new drawing
  useEffect(() => {
    const element = host.current;
    if (!plotly || !element || width === 0) {
      return;
    }
    const { data, layout } = themedFigure(figure);
    let gone = false;
    void atRest(element).then(async () => {
      if (gone) return;
      await draw(plotly, element, data, { ...layout, width, height }, { displayModeBar: false });
      const plot = element as unknown as {
        on?: (name: string, handler: (event: { points: FigurePoint[] }) => void) => void;
        removeAllListeners?: (name: string) => void;
      };
      if (!gone) {
        plot.removeAllListeners?.("plotly_click");
        plot.on?.("plotly_click", (event) => event.points[0] && clicked.current?.(event.points[0]));
      }
    });
    return () => {
      gone = true;
    };
  }, [plotly, figure, width, height, theme]);

  useEffect(() => {
    const element = host.current;
    return () => {
      if (plotly && element) {
        clear(plotly, element);
      }
    };
  }, [plotly]);

  if (figure.data.some((trace) => trace.type !== undefined && !DRAWN.has(String(trace.type)))) {
    return <EmptyState compact icon="chart" title={t("This kind of figure cannot be shown here")} />;
  }
  return (
    <div ref={box} className="figure-host" style={{ minHeight: height }}>
      {!plotly && <LoadingState compact />}
      <div ref={host} role="img" aria-label={label} />
    </div>
  );
}
