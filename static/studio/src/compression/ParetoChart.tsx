/** The Pareto chart of a search, with a choice of axes. A click on a point selects it. */
import { useId, useMemo, useState } from "react";
import { PlotlyFigure } from "../charts/PlotlyFigure";
import { color, useThemeGeneration } from "../charts/theme";
import { t } from "../i18n";
import { Select } from "../ui";
import { type Candidate, type Measure, measuresOf, type Search } from "./candidates";
import styles from "./compression.module.css";
import { type Axes, areaOf, paretoFigure } from "./figure";
import { axisTitle, measureLabel, measureText, reasonText } from "./words";

export interface ParetoChartProps {
  search: Search;
  label: string;
  selected: string | null;
  onSelect: (name: string) => void;
  narrow?: boolean;
}

/** What is worth an axis before anybody chose one. */
export function firstAxes(measures: readonly Measure[]): Axes {
  const y = (["accuracy", "agreement", "size_bytes"] as const).find((one) => measures.includes(one));
  return { x: "latency_ms", y: y ?? "size_bytes" };
}

/** What a point says when it is pointed at. */
function hoverLines(candidate: Candidate, measures: readonly Measure[]): string[] {
  const numbers = measures.map((one) => `${measureLabel(one)}: ${measureText(one, candidate.values[one])}`);
  return candidate.reason ? [...numbers, reasonText(candidate.reason)] : numbers;
}

export function ParetoChart({ search, label, selected, onSelect, narrow }: ParetoChartProps) {
  const measures = useMemo(() => measuresOf(search), [search]);
  const [chosen, setChosen] = useState<Partial<Axes>>({});
  const first = firstAxes(measures);
  const x = chosen.x ?? first.x;
  const y = chosen.y ?? first.y;
  const id = useId();
  const theme = useThemeGeneration();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new theme needs new colours
  const figure = useMemo(
    () =>
      paretoFigure({
        search,
        axes: { x, y },
        selected,
        narrow,
        colors: {
          front: color("--series-1"),
          beaten: color("--text-3"),
          refused: color("--danger"),
          baseline: color("--text"),
          limit: color("--text-3"),
          ring: color("--series-2"),
        },
        texts: {
          front: t("On the front"),
          beaten: t("Beaten"),
          refused: t("Refused"),
          baseline: t("Baseline"),
          limit: t("Least accuracy allowed"),
          axis: axisTitle,
          hover: (candidate) => hoverLines(candidate, measures),
        },
      }),
    [search, measures, x, y, selected, narrow, theme],
  );
  const area = areaOf({ x, y });
  const options = measures.map((one) => ({ value: one, label: measureLabel(one) }));
  const axisChoice = (axis: "x" | "y", name: string, value: Measure) => (
    <label className={styles.axis} htmlFor={`${id}${axis}`}>
      {name}
      <Select
        id={`${id}${axis}`}
        value={value}
        options={options}
        onChange={(event) => setChosen((before) => ({ ...before, [axis]: event.target.value as Measure }))}
      />
    </label>
  );
  return (
    <div>
      <div className={styles.axes}>
        {axisChoice("x", t("X axis"), x)}
        {axisChoice("y", t("Y axis"), y)}
        {area && measures.includes(area) && (
          <span className="muted small">{t("Area: {measure}", { measure: measureLabel(area) })}</span>
        )}
      </div>
      <PlotlyFigure
        figure={figure}
        label={label}
        height={narrow ? 260 : 380}
        onPoint={({ customdata }) => typeof customdata === "string" && onSelect(customdata)}
      />
      {narrow && <Key search={search} />}
    </div>
  );
}

/** What the marks mean, where the chart has no room for it. */
function Key({ search }: { search: Search }) {
  const has = (test: (one: Candidate) => boolean) => search.candidates.some((one) => !one.baseline && test(one));
  return (
    <ul className={styles.key}>
      <li>{t("On the front")}</li>
      {has((one) => !one.refused && !search.front.has(one.name)) && <li data-kind="beaten">{t("Beaten")}</li>}
      {has((one) => one.refused) && <li data-kind="refused">{t("Refused")}</li>}
      <li data-kind="baseline">{t("Baseline")}</li>
      {search.maxDrop !== null && <li data-kind="limit">{t("Least accuracy allowed")}</li>}
    </ul>
  );
}
