/** From curves to the traces and layout that plotly.js draws. Pure but for the theme's colours. */

import { t } from "../i18n";
import { bandLine, rangeWithoutOutliers, type Series, smooth, type XAxis, xValues } from "./curves";
import { baseLayout, color, withAlpha } from "./theme";

/** One curve of a chart. */
export interface ChartLine {
  id: string;
  name: string;
  /** A colour token, `--series-1` for instance. */
  color: string;
  series: Series;
  /** Unix seconds: the zero of the relative axis. */
  start: number;
  stepsPerEpoch: number | null;
  dash?: boolean;
}

export interface ChartOptions {
  axis: XAxis;
  xLog: boolean;
  yLog: boolean;
  /** 0 draws the values, towards 1 smooths more. */
  smoothing: number;
  ignoreOutliers: boolean;
}

export const DEFAULT_OPTIONS: ChartOptions = {
  axis: "step",
  xLog: false,
  yLog: false,
  smoothing: 0,
  ignoreOutliers: false,
};

export interface DrawnLine {
  line: ChartLine;
  x: Float64Array;
  /** What the curve shows: smoothed when smoothing is on. */
  y: Float64Array;
}

export interface LineFigure {
  data: Record<string, unknown>[];
  layout: Record<string, unknown>;
  drawn: DrawnLine[];
}

const MARKERS_UP_TO = 40;

function relativeUnit(drawn: readonly DrawnLine[]): { divisor: number; label: string } {
  const longest = Math.max(0, ...drawn.map(({ x }) => x[x.length - 1] ?? 0));
  if (longest > 2 * 86_400) {
    return { divisor: 86_400, label: t("Time since start (days)") };
  }
  if (longest > 2 * 3600) {
    return { divisor: 3600, label: t("Time since start (hours)") };
  }
  if (longest > 180) {
    return { divisor: 60, label: t("Time since start (minutes)") };
  }
  return { divisor: 1, label: t("Time since start (seconds)") };
}

function axisTitle(axis: XAxis): string {
  return axis === "epoch" ? t("Epoch") : axis === "wall" ? t("Time of day") : t("Step");
}

function traces(drawn: DrawnLine, smoothing: number): Record<string, unknown>[] {
  const { line, x, y } = drawn;
  const stroke = color(line.color);
  const decimated = line.series.shown < line.series.total;
  const common = { type: "scatter", xaxis: "x", yaxis: "y", connectgaps: false };
  const out: Record<string, unknown>[] = [];
  if (decimated || smoothing > 0) {
    const behind = decimated ? bandLine(x, line.series) : { x, y: line.series.last };
    out.push({
      ...common,
      ...behind,
      mode: "lines",
      hoverinfo: "skip",
      line: { color: withAlpha(stroke, 0.28), width: 1 },
    });
  }
  out.push({
    ...common,
    x,
    y,
    name: line.name,
    mode: x.length <= MARKERS_UP_TO ? "lines+markers" : "lines",
    marker: { size: x.length === 1 ? 7 : 4, color: stroke },
    line: { color: stroke, width: 1.75, dash: line.dash ? "dot" : "solid" },
    hovertemplate: "%{y:.5~g}",
  });
  return out;
}

/** What to draw for these lines; `hidden` holds the ids that the legend has switched off. */
export function lineFigure(
  lines: readonly ChartLine[],
  options: ChartOptions,
  hidden: ReadonlySet<string>,
): LineFigure {
  const drawn = lines
    .filter((line) => !hidden.has(line.id) && line.series.steps.length > 0)
    .map((line): DrawnLine => {
      const x = xValues(line.series, { axis: options.axis, start: line.start, stepsPerEpoch: line.stepsPerEpoch });
      const y = options.smoothing > 0 ? smooth(x, line.series.last, options.smoothing) : line.series.last;
      return { line, x, y };
    });
  let title = axisTitle(options.axis);
  if (options.axis === "relative") {
    const unit = relativeUnit(drawn);
    title = unit.label;
    for (const one of drawn) {
      one.x = one.x.map((value) => value / unit.divisor);
    }
  }
  const base = baseLayout();
  const range = options.ignoreOutliers
    ? rangeWithoutOutliers(
        drawn.map(({ y }) => y),
        options.yLog,
      )
    : null;
  const yaxis = {
    ...(base.yaxis as object),
    type: options.yLog ? "log" : "linear",
    exponentformat: "power",
    minexponent: 6,
    ...(range ? { range, autorange: false } : { autorange: true }),
  };
  const xaxis = {
    ...(base.xaxis as Record<string, unknown>),
    type: options.axis === "wall" ? "date" : options.xLog ? "log" : "linear",
    title: { text: title, font: { size: 11 }, standoff: 6 },
    autorange: true,
    exponentformat: "none",
    tickformatstops: options.axis === "wall" ? WALL_FORMATS : undefined,
    hoverformat: options.axis === "wall" ? "%Y-%m-%d %H:%M:%S" : ",.6~g",
  };
  const layout = {
    ...base,
    xaxis,
    yaxis,
    showlegend: false,
    hovermode: drawn.length > 12 ? "closest" : "x unified",
    dragmode: "zoom",
  };
  return { data: drawn.flatMap((one) => traces(one, options.smoothing)), layout, drawn };
}

/** Numbers only, so that no month name appears in the wrong language. */
const WALL_FORMATS = [
  { dtickrange: [null, 60_000], value: "%H:%M:%S" },
  { dtickrange: [60_000, 86_400_000], value: "%H:%M" },
  { dtickrange: [86_400_000, null], value: "%m-%d" },
];
