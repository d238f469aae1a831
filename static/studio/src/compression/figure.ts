/** The Pareto chart of a search as a Plotly figure: pure, colours and texts come from outside. */
import type { PlotlyFigureJson } from "../lib/types";
import { type Candidate, frontLine, higherIsBetter, type Measure, type Search } from "./candidates";

export interface Axes {
  x: Measure;
  y: Measure;
}

export interface ChartColors {
  front: string;
  beaten: string;
  refused: string;
  baseline: string;
  limit: string;
  ring: string;
}

export interface ChartTexts {
  front: string;
  beaten: string;
  refused: string;
  baseline: string;
  limit: string;
  axis: (measure: Measure) => string;
  hover: (candidate: Candidate) => readonly string[];
}

export interface ChartOptions {
  search: Search;
  axes: Axes;
  selected: string | null;
  narrow?: boolean;
  colors: ChartColors;
  texts: ChartTexts;
}

const LEAST_SIZE = 9;
const MOST_SIZE = 26;
const MB = 1e6;

type Trace = PlotlyFigureJson["data"][number];

const scaled = (measure: Measure, value: number): number => (measure === "size_bytes" ? value / MB : value);

/** The measure that the area of the points shows: size or latency, whichever no axis shows. */
export function areaOf(axes: Axes): Measure | null {
  return (["size_bytes", "latency_ms"] as const).find((one) => one !== axes.x && one !== axes.y) ?? null;
}

/** Diameter in pixels; the area follows the value. */
export function diameters(values: readonly (number | null)[], largest: number): number[] {
  return values.map((value) =>
    value === null || largest <= 0 ? LEAST_SIZE : Math.max(LEAST_SIZE, MOST_SIZE * Math.sqrt(value / largest)),
  );
}

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

export function paretoFigure(options: ChartOptions): PlotlyFigureJson {
  const { search, axes, selected, narrow, colors, texts } = options;
  const shown = search.candidates.filter((one) => one.values[axes.x] !== null && one.values[axes.y] !== null);
  const area = areaOf(axes);
  const largest = Math.max(0, ...shown.map((one) => (area && one.values[area]) ?? 0));
  const at = (part: readonly Candidate[]) => ({
    x: part.map((one) => scaled(axes.x, one.values[axes.x]!)),
    y: part.map((one) => scaled(axes.y, one.values[axes.y]!)),
  });
  const sizes = (part: readonly Candidate[]) =>
    diameters(
      part.map((one) => area && one.values[area]),
      largest,
    );
  const points = (name: string, part: readonly Candidate[], marker: Record<string, unknown>): Trace[] =>
    part.length === 0
      ? []
      : [
          {
            type: "scatter",
            mode: "markers",
            name,
            ...at(part),
            customdata: part.map((one) => one.name),
            hovertext: part.map((one) =>
              [`<b>${escaped(one.name)}</b>`, ...texts.hover(one).map(escaped)].join("<br>"),
            ),
            hoverinfo: "text",
            marker: { opacity: 1, line: { width: 0 }, ...marker },
          },
        ];
  const groupOf = (one: Candidate) =>
    one.baseline ? "baseline" : one.refused ? "refused" : search.front.has(one.name) ? "front" : "beaten";
  const group = (name: ReturnType<typeof groupOf>) => shown.filter((one) => groupOf(one) === name);
  const line = reached(frontLine(search, axes.x, axes.y), shown, axes);
  const ring = shown.filter((one) => one.name === selected);
  const data: Trace[] = [
    {
      type: "scatter",
      mode: "lines",
      name: texts.front,
      showlegend: false,
      hoverinfo: "skip",
      x: line.map(([x]) => scaled(axes.x, x)),
      y: line.map(([, y]) => scaled(axes.y, y)),
      // The region that the front beats has corners: which way they turn follows from what is better on the x axis.
      line: { shape: higherIsBetter(axes.x) ? "vh" : "hv", color: colors.front, width: 2 },
    },
    ...points(texts.refused, group("refused"), { symbol: "x", size: LEAST_SIZE, color: colors.refused }),
    ...points(texts.beaten, group("beaten"), {
      symbol: "circle-open",
      size: sizes(group("beaten")),
      color: colors.beaten,
      line: { width: 1.5 },
    }),
    ...points(texts.front, group("front"), { symbol: "circle", size: sizes(group("front")), color: colors.front }),
    ...points(texts.baseline, group("baseline"), {
      symbol: "diamond",
      size: sizes(group("baseline")),
      color: colors.baseline,
    }),
    ...(ring.length === 0
      ? []
      : [
          {
            type: "scatter",
            mode: "markers",
            showlegend: false,
            hoverinfo: "skip",
            ...at(ring),
            marker: {
              symbol: "circle-open",
              size: sizes(ring).map((size) => size + 8),
              color: colors.ring,
              line: { width: 2 },
            },
          },
        ]),
  ];
  return {
    data,
    layout: {
      uirevision: `${axes.x} ${axes.y}`,
      hovermode: "closest",
      showlegend: !narrow,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", itemsizing: "constant" },
      margin: narrow ? { t: 8, l: 8 } : { t: 28 },
      xaxis: axisOf(axes.x, texts.axis),
      yaxis: axisOf(axes.y, texts.axis),
      ...limitOf(options),
    },
  };
}

/** The front with its ends drawn on to the worst that was measured: on one side of the line lies what it beats. */
function reached(line: readonly Candidate[], shown: readonly Candidate[], { x, y }: Axes): [number, number][] {
  const inner = line.map((one): [number, number] => [one.values[x]!, one.values[y]!]);
  const first = inner[0];
  const last = inner[inner.length - 1];
  if (!first || !last) {
    return [];
  }
  const worst = (measure: Measure) =>
    (higherIsBetter(measure) ? Math.min : Math.max)(...shown.map((one) => one.values[measure]!));
  return higherIsBetter(x)
    ? [[worst(x), first[1]], ...inner, [last[0], worst(y)]]
    : [[first[0], worst(y)], ...inner, [worst(x), last[1]]];
}

function axisOf(measure: Measure, title: ChartTexts["axis"]): Record<string, unknown> {
  const axis = { title: { text: title(measure) }, zeroline: false };
  switch (measure) {
    case "accuracy":
    case "agreement":
      return { ...axis, tickformat: ".4~p" };
    case "params":
    case "macs":
      return { ...axis, tickformat: ".3~s", rangemode: "tozero" };
    default:
      return { ...axis, rangemode: "tozero" };
  }
}

/** The line that no candidate may fall below, where an axis shows accuracy. */
function limitOf({ search, axes, narrow, colors, texts }: ChartOptions): Record<string, unknown> {
  const baseline = search.candidates.find((one) => one.baseline)?.values.accuracy ?? null;
  const axis = axes.y === "accuracy" ? "y" : axes.x === "accuracy" ? "x" : null;
  if (baseline === null || search.maxDrop === null || axis === null) {
    return {};
  }
  const value = baseline - search.maxDrop;
  const ends = axis === "y" ? { xref: "paper", x0: 0, x1: 1, y0: value, y1: value } : limitAcross(value);
  const place =
    axis === "y"
      ? { xref: "paper", x: 1, xanchor: "right", y: value, yanchor: "top" }
      : { yref: "paper", y: 0, yanchor: "bottom", x: value, xanchor: "right" };
  return {
    shapes: [{ type: "line", ...ends, line: { color: colors.limit, width: 1, dash: "dash" }, layer: "below" }],
    annotations: narrow
      ? []
      : [{ ...place, text: texts.limit, showarrow: false, font: { size: 11, color: colors.limit } }],
  };
}

const limitAcross = (value: number) => ({ yref: "paper", y0: 0, y1: 1, x0: value, x1: value });
