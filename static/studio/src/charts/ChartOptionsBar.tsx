/** The settings that all line charts of a page share; remembered by the browser. */
import { useState } from "react";
import { t } from "../i18n";
import { formatNumber } from "../lib/format";
import { Checkbox } from "../ui/Field";
import type { XAxis } from "./curves";
import { type ChartOptions, DEFAULT_OPTIONS } from "./lineFigure";

const KEY = "studio.chart-options";

function stored(): ChartOptions {
  try {
    return { ...DEFAULT_OPTIONS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<ChartOptions>) };
  } catch {
    return DEFAULT_OPTIONS;
  }
}

/** The page's chart options and a setter that also remembers them. */
export function useChartOptions(): [ChartOptions, (change: Partial<ChartOptions>) => void] {
  const [options, setOptions] = useState(stored);
  const change = (part: Partial<ChartOptions>) =>
    setOptions((before) => {
      const next = { ...before, ...part };
      try {
        localStorage.setItem(KEY, JSON.stringify(next));
      } catch {
        // A browser without storage only forgets the choice.
      }
      return next;
    });
  return [options, change];
}

interface BarProps {
  options: ChartOptions;
  onChange: (change: Partial<ChartOptions>) => void;
  epochs: boolean;
}

export function ChartOptionsBar({ options, onChange, epochs }: BarProps) {
  const axes: { value: XAxis; label: string }[] = [
    { value: "step", label: t("Step") },
    ...(epochs ? [{ value: "epoch" as const, label: t("Epoch") }] : []),
    { value: "relative", label: t("Time since start") },
    { value: "wall", label: t("Time of day") },
  ];
  const axis = axes.some((one) => one.value === options.axis) ? options.axis : "step";
  return (
    <fieldset className="chart-options" style={{ border: 0, margin: 0, padding: 0 }}>
      <legend className="visually-hidden">{t("Chart settings")}</legend>
      <label>
        {t("X axis")}
        <select value={axis} onChange={(event) => onChange({ axis: event.target.value as XAxis })}>
          {axes.map((one) => (
            <option key={one.value} value={one.value}>
              {one.label}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t("Smoothing")}
        <input
          type="range"
          min={0}
          max={0.99}
          step={0.01}
          value={options.smoothing}
          onChange={(event) => onChange({ smoothing: Number(event.target.value) })}
        />
        <span className="numeric" style={{ minWidth: "2.5em" }}>
          {formatNumber(options.smoothing, 2)}
        </span>
      </label>
      <Checkbox
        label={t("Log x")}
        checked={options.xLog}
        disabled={axis === "wall"}
        onChange={(event) => onChange({ xLog: event.target.checked })}
      />
      <Checkbox
        label={t("Log y")}
        checked={options.yLog}
        onChange={(event) => onChange({ yLog: event.target.checked })}
      />
      <Checkbox
        label={t("Leave out outliers")}
        checked={options.ignoreOutliers}
        onChange={(event) => onChange({ ignoreOutliers: event.target.checked })}
      />
    </fieldset>
  );
}
