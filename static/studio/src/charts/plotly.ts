/**
 * The part of plotly.js that the studio draws with, as one lazy chunk.
 *
 * Called by `PlotlyFigure` and `LineChart` through `loadPlotly()`; nothing else imports plotly.js.
 * The `strict` variants carry precompiled shaders, so the page needs no `unsafe-eval`.
 */
import type * as PlotlyTypes from "plotly.js";
import bar from "plotly.js/lib/bar";
import core from "plotly.js/lib/core";
import heatmap from "plotly.js/lib/heatmap";
import histogram from "plotly.js/lib/histogram";
import chinese from "plotly.js/lib/locales/zh-cn";
import parcoords from "plotly.js/src/traces/parcoords/strict";
import scattergl from "plotly.js/src/traces/scattergl/strict";
import { language } from "../lib/format";

core.register([bar, heatmap, histogram, parcoords, scattergl, chinese]);
if (language().startsWith("zh")) {
  core.setPlotConfig({ locale: "zh-CN" });
}

export default core as typeof PlotlyTypes;
