/** The studio's charts; pages and the builder import from here. */
export { ChartCard, type ChartRun } from "./ChartCard";
export { ChartOptionsBar, useChartOptions } from "./ChartOptionsBar";
export { CursorGroup } from "./cursor";
export { decodeSeries, joinTail, type Series, stepsPerEpoch } from "./curves";
export { LineChart } from "./LineChart";
export { type ChartLine, type ChartOptions, DEFAULT_OPTIONS } from "./lineFigure";
export type { AxisView } from "./linePlot";
export { loadPlotly } from "./loadPlotly";
export { inWords, PlotlyFigure } from "./PlotlyFigure";
export { PreviewView } from "./PreviewView";
export { Sparkline } from "./Sparkline";
export { seriesToken } from "./theme";
export { fetchSeries, useSeries } from "./useSeries";
