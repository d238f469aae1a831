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

/** Dates as they are written in Chinese; what comes with Plotly has 一 7 for 7 January. */
const months = Array.from({ length: 12 }, (_, month) => `${month + 1}月`);
const dates = {
  months,
  shortMonths: months,
  year: "%Y年",
  month: "%Y年%b",
  dayMonth: "%b%-d日",
  dayMonthYear: "%Y年%b%-d日",
};
const written = { ...chinese, format: { ...chinese.format, ...dates } };

core.register([bar, heatmap, histogram, parcoords, scattergl, written]);
if (language().startsWith("zh")) {
  core.setPlotConfig({ locale: "zh-CN" });
}

export default core as typeof PlotlyTypes;
