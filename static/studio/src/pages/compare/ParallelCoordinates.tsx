/** Parallel coordinates: one line a run, one axis a differing number. */
import { useMemo } from "react";
import { PlotlyFigure } from "../../charts";
import { color, seriesToken, useThemeGeneration } from "../../charts/theme";
import { t } from "../../i18n";
import type { RunSummary } from "../../lib/runTypes";
import type { Json } from "../../lib/types";
import { EmptyState } from "../../ui";
import { configRows } from "../shared/documentDiff";

const MOST_AXES = 10;

interface Axis {
  label: string;
  values: number[];
  tickvals?: number[];
  ticktext?: string[];
}

/** Numbers stay numbers; a text or a switch becomes the number of its place among the values. */
export function axisOf(label: string, values: readonly (Json | undefined)[]): Axis {
  const numbers = values.map((value) => (typeof value === "number" ? value : Number.NaN));
  if (numbers.every((value) => Number.isFinite(value))) {
    return { label, values: numbers };
  }
  const texts = values.map((value) => (value === undefined || value === null ? "–" : String(value)));
  const ticktext = [...new Set(texts)].sort();
  return {
    label,
    values: texts.map((text) => ticktext.indexOf(text)),
    tickvals: ticktext.map((_, at) => at),
    ticktext,
  };
}

export interface ParallelCoordinatesProps {
  runs: readonly RunSummary[];
  configs: readonly Record<string, Json>[];
}

export function ParallelCoordinates({ runs, configs }: ParallelCoordinatesProps) {
  const theme = useThemeGeneration();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new theme needs new colours
  const figure = useMemo(() => {
    const parameters = configRows(configs)
      .filter((row) => row.differs)
      .map((row) => axisOf(row.address, row.values));
    const metrics = configRows(runs.map((run) => run.metrics))
      .filter((row) => row.differs && row.values.every((value) => typeof value === "number"))
      .map((row) => axisOf(row.address, row.values));
    const dimensions = [...parameters.slice(0, MOST_AXES - 3), ...metrics].slice(0, MOST_AXES);
    const last = Math.max(1, runs.length - 1);
    const scale = runs.map((_, index) => [index / last, color(seriesToken(index))] as [number, string]);
    const colorscale = runs.length > 1 ? scale : [...scale, [1, color(seriesToken(0))]];
    return {
      data: [
        {
          type: "parcoords",
          dimensions,
          line: { color: runs.map((_, index) => index), colorscale, cmin: 0, cmax: last },
          labelfont: { size: 11, color: color("--text-2") },
          tickfont: { size: 11, color: color("--text-2") },
          rangefont: { size: 10, color: "rgba(0,0,0,0)" },
          labelangle: -12,
        },
      ],
      layout: { margin: { l: 60, r: 60, t: 64, b: 20 } },
    };
  }, [runs, configs, theme]);
  const dimensions = figure.data[0]?.dimensions ?? [];
  if (dimensions.length < 2) {
    return (
      <EmptyState compact icon="chart" title={t("Nothing to draw")}>
        {t("The runs differ in fewer than two numbers.")}
      </EmptyState>
    );
  }
  return <PlotlyFigure figure={figure} label={t("Parallel coordinates")} height={340} />;
}
