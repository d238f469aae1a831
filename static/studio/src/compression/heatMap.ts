/** The heat map of the layers' sensitivity, made ready for the page: its words, its room, marks that are seen. Pure. */
import { msg, t } from "../i18n";
import type { PlotlyFigureJson } from "../lib/types";

const HOVER = msg("%{y}<br>%{x}: outputs move by %{z:.3f} %<br>saves %{customdata:,} bytes<extra></extra>");
const ROW = 18;

/** "8 bits" in the language of the page; the name of a layer stays. */
function inWords(value: unknown): unknown {
  const [, bits] = typeof value === "string" ? (/^(\d+) bits$/.exec(value) ?? []) : [];
  return bits ? t("{count} bits", { count: Number(bits) }) : value;
}

export function sensitivityFigure(figure: PlotlyFigureJson, mark: string): PlotlyFigureJson {
  const data = figure.data.map((trace) => ({
    ...trace,
    ...(Array.isArray(trace.x) ? { x: trace.x.map(inWords) } : {}),
    ...(trace.type === "heatmap"
      ? {
          hovertemplate: trace.hovertemplate === HOVER ? t(HOVER) : trace.hovertemplate,
          colorbar: { ...(trace.colorbar as object), outlinewidth: 0, thickness: 14 },
        }
      : { marker: { ...(trace.marker as object), color: mark }, name: t(String(trace.name)) }),
  }));
  // Names of layers take the room they need, not a fixed part of a narrow panel.
  const { xaxis, yaxis } = figure.layout ?? {};
  const axes = { xaxis: { ...(xaxis as object), showgrid: false }, yaxis: { ...(yaxis as object), showgrid: false } };
  return { data, layout: { ...figure.layout, ...axes, margin: { l: 8, r: 8, t: 40, b: 8 } } };
}

export interface Cells {
  columns: string[];
  rows: { layer: string; values: (number | null)[] }[];
}

/** The numbers behind the colours. */
export function cellsOf(figure: PlotlyFigureJson): Cells {
  const heat = figure.data.find((trace) => trace.type === "heatmap");
  const [x, y, z] = [heat?.x, heat?.y, heat?.z].map((one) => (Array.isArray(one) ? one : []));
  const rows = y!.map((layer, row) => ({
    layer: String(layer),
    values: x!.map((_, column) => (z![row] as (number | null)[] | undefined)?.[column] ?? null),
  }));
  return { columns: x!.map(String), rows };
}

/** Room for the name of every layer; many layers share the room. */
export function heightOf(figure: PlotlyFigureJson, narrow = false): number {
  const rows = Math.max(0, ...figure.data.map((trace) => (Array.isArray(trace.y) ? trace.y.length : 0)));
  return Math.min(narrow ? 420 : 900, Math.max(220, 90 + ROW * rows));
}
