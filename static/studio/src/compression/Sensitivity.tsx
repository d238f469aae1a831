/** How much the outputs move when a layer alone is rounded: a heat map, a row a layer; its numbers as a table below. */
import { useMemo } from "react";
import { PlotlyFigure } from "../charts/PlotlyFigure";
import { color, useThemeGeneration } from "../charts/theme";
import { t } from "../i18n";
import { formatMetric } from "../lib/format";
import { useLoad } from "../lib/live";
import type { PlotlyFigureJson } from "../lib/types";
import { artifactFile } from "../lib/urls";
import { ErrorState, LoadingState } from "../ui";
import styles from "./compression.module.css";
import { cellsOf, heightOf, sensitivityFigure } from "./heatMap";

export interface SensitivityProps {
  workspaceId: string;
  digest: string;
  narrow?: boolean;
}

export function Sensitivity({ workspaceId, digest, narrow }: SensitivityProps) {
  const { data, error, reload } = useLoad<PlotlyFigureJson>(artifactFile(workspaceId, digest, "figure.json"));
  const theme = useThemeGeneration();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new theme needs new colours
  const figure = useMemo(() => data && sensitivityFigure(data, color("--text")), [data, theme]);
  if (error) {
    return <ErrorState compact error={error} retry={reload} />;
  }
  if (!figure) {
    return <LoadingState compact />;
  }
  return (
    <>
      <PlotlyFigure figure={figure} label={t("Sensitivity of the layers")} height={heightOf(figure, narrow)} />
      <Numbers figure={figure} />
    </>
  );
}

function Numbers({ figure }: { figure: PlotlyFigureJson }) {
  const { columns, rows } = cellsOf(figure);
  if (rows.length === 0) {
    return null;
  }
  return (
    <details className={styles.numbers}>
      <summary>{t("Numbers")}</summary>
      <div className={`table-scroll ${styles.candidates}`}>
        <table className={`table ${styles.table}`} aria-label={t("Sensitivity of the layers")}>
          <thead>
            <tr>
              <th>{t("Layer")}</th>
              {columns.map((one) => (
                <th key={one} className="numeric">
                  {t("{width}, error in %", { width: one })}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.layer}>
                <td translate="no">{row.layer}</td>
                {row.values.map((value, index) => (
                  <td key={columns[index]} className="numeric">
                    {formatMetric(value)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
