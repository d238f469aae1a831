/**
 * A line chart with a legend that isolates. Draws only in view; many points cost what few cost.
 *
 * Used by `ChartCard`, which loads the points, and by the builder's full chart.
 */
import { type Ref, useEffect, useImperativeHandle, useMemo, useRef, useState } from "react";
import { t } from "../i18n";
import { formatMetric } from "../lib/format";
import "./charts.css";
import { CursorGroup } from "./cursor";
import { indexAt } from "./curves";
import { type ChartLine, type ChartOptions, DEFAULT_OPTIONS } from "./lineFigure";
import { type AxisView, LinePlot } from "./linePlot";
import { useThemeGeneration } from "./theme";
import { useInView } from "./useInView";

export interface LineChartHandle {
  resetZoom: () => void;
  zoomTo: (steps: [number, number]) => void;
  image: (format: "png" | "svg") => Promise<string>;
}

export interface LineChartProps {
  label: string;
  lines: readonly ChartLine[];
  options?: ChartOptions;
  height?: number;
  cursors?: CursorGroup;
  legend?: boolean;
  onZoom?: (steps: [number, number] | null) => void;
  /** Told after each drawing that moved the x axis. */
  onAxis?: (view: AxisView) => void;
  onFailed?: (error: Error) => void;
  ref?: Ref<LineChartHandle>;
}

export function LineChart({
  label,
  lines,
  options = DEFAULT_OPTIONS,
  height = 220,
  cursors,
  legend = true,
  onZoom,
  onAxis,
  onFailed,
  ref,
}: LineChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<LinePlot | null>(null);
  const inView = useInView(box);
  const theme = useThemeGeneration();
  const own = useMemo(() => new CursorGroup(), []);
  const group = cursors ?? own;
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [cursor, setCursor] = useState<number | null>(null);
  const [painted, setPainted] = useState(false);
  const handlers = useRef({ onZoom, onAxis, onFailed });
  handlers.current = { onZoom, onAxis, onFailed };

  useEffect(() => {
    if (!inView || !host.current) {
      return;
    }
    const made = new LinePlot(host.current, group, {
      onZoom: (range) => handlers.current.onZoom?.(range),
      onAxis: (view) => handlers.current.onAxis?.(view),
      onFailed: (error) => handlers.current.onFailed?.(error),
      onCursor: setCursor,
      onDrawn: () => setPainted(true),
    });
    plot.current = made;
    return () => {
      plot.current = null;
      made.destroy();
    };
  }, [inView, group]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new theme needs a new drawing
  useEffect(() => {
    plot.current?.update({ lines, options, hidden });
  }, [lines, options, hidden, inView, group, theme]);

  useImperativeHandle(ref, () => ({
    resetZoom: () => plot.current?.resetZoom(),
    zoomTo: (steps) => plot.current?.zoomTo(steps),
    image: (format) => plot.current?.image(format, 960, 480) ?? Promise.reject(new Error(label)),
  }));

  return (
    <div ref={box} className="chart" data-painted={painted}>
      <div className="chart-plot" style={{ height }}>
        <div ref={host} className="chart-host" role="img" aria-label={label} />
      </div>
      {legend && lines.length > 1 && (
        <Legend lines={lines} options={options} hidden={hidden} cursor={cursor} onChange={setHidden} />
      )}
    </div>
  );
}

interface LegendProps {
  lines: readonly ChartLine[];
  options: ChartOptions;
  hidden: ReadonlySet<string>;
  cursor: number | null;
  onChange: (hidden: ReadonlySet<string>) => void;
}

/** A click isolates a line, a second click brings all back; with Ctrl or Shift it toggles one. */
export function isolate(ids: readonly string[], hidden: ReadonlySet<string>, id: string, toggle: boolean) {
  if (toggle) {
    const next = new Set(hidden);
    if (!next.delete(id)) {
      next.add(id);
    }
    return next;
  }
  const alone = !hidden.has(id) && ids.length - hidden.size === 1;
  return new Set(alone ? [] : ids.filter((other) => other !== id));
}

const LEGEND_LIMIT = 20;

function Legend({ lines, options, hidden, cursor, onChange }: LegendProps) {
  const ids = lines.map((line) => line.id);
  return (
    <ul className="chart-legend" aria-label={t("Legend")}>
      {lines.slice(0, LEGEND_LIMIT).map((line) => (
        <li key={line.id}>
          <button
            type="button"
            aria-pressed={!hidden.has(line.id)}
            title={t("Click to show only this one; Ctrl-click to hide or show it")}
            onClick={(event) =>
              onChange(isolate(ids, hidden, line.id, event.ctrlKey || event.metaKey || event.shiftKey))
            }
          >
            <i style={{ background: `var(${line.color})` }} />
            <span>{line.name}</span>
            <b className="numeric">{formatMetric(valueAt(line, options, cursor))}</b>
          </button>
        </li>
      ))}
      {lines.length > LEGEND_LIMIT && (
        <li className="muted small">{t("and {count} more", { count: lines.length - LEGEND_LIMIT })}</li>
      )}
    </ul>
  );
}

function valueAt(line: ChartLine, options: ChartOptions, cursor: number | null): number | undefined {
  const { steps, last } = line.series;
  if (cursor === null || options.axis !== "step") {
    return last[last.length - 1];
  }
  return last[Math.max(0, indexAt(steps, cursor))];
}
