/** Loads plotly.js when the first chart needs it. Called by the chart components. */
import type * as PlotlyTypes from "plotly.js";

export type Plotly = typeof PlotlyTypes;

let loading: Promise<Plotly> | null = null;

/** The plotly.js bundle; the chunk is fetched once a page, and again only after a failed fetch. */
export function loadPlotly(): Promise<Plotly> {
  loading ??= import("./plotly").then(
    (module) => module.default,
    (error: unknown) => {
      loading = null;
      throw error;
    },
  );
  return loading;
}
