/** Configuration and final numbers side by side; by default only what differs. */
import { t } from "../../i18n";
import { formatMetric } from "../../lib/format";
import { Checkbox, EmptyState } from "../../ui";
import { valueText } from "../run/Configuration";
import type { ConfigRow } from "../shared/documentDiff";
import styles from "./compare.module.css";

export interface ConfigTableProps {
  runs: { id: string; title: string; color: string; href: string }[];
  rows: ConfigRow[];
  metrics: ConfigRow[];
  onlyDifferences: boolean;
  onOnlyDifferences: (on: boolean) => void;
}

export function ConfigTable({ runs, rows, metrics, onlyDifferences, onOnlyDifferences }: ConfigTableProps) {
  const shown = onlyDifferences ? rows.filter((row) => row.differs) : rows;
  return (
    <section className="card" aria-label={t("Configuration")}>
      <div className="card-head">
        <h2>{t("Configuration and results")}</h2>
        <span className="push">
          <Checkbox
            label={t("Differences only")}
            checked={onlyDifferences}
            onChange={(event) => onOnlyDifferences(event.target.checked)}
          />
        </span>
      </div>
      <div className={`table-scroll ${styles.configScroll}`}>
        <table className={`table ${styles.config}`}>
          <thead>
            <tr>
              <th>{t("Parameter")}</th>
              {runs.map((run) => (
                <th key={run.id}>
                  <a href={run.href} className={styles.runHead}>
                    <i style={{ background: `var(${run.color})` }} />
                    {run.title}
                  </a>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={row.address} data-differs={row.differs || undefined}>
                <td>
                  <code>{row.address}</code>
                </td>
                {row.values.map((value, index) => (
                  <td key={runs[index]?.id ?? index}>{valueText(value)}</td>
                ))}
              </tr>
            ))}
            {shown.length === 0 && (
              <tr>
                <td colSpan={runs.length + 1}>
                  <EmptyState compact icon="check" title={t("The configurations are the same")} />
                </td>
              </tr>
            )}
          </tbody>
          {metrics.length > 0 && (
            <tbody>
              <tr className={styles.group}>
                <th colSpan={runs.length + 1}>{t("Results")}</th>
              </tr>
              {metrics.map((row) => (
                <tr key={row.address}>
                  <td>
                    <code>{row.address}</code>
                  </td>
                  {row.values.map((value, index) => (
                    <td key={runs[index]?.id ?? index} style={{ fontVariantNumeric: "tabular-nums" }}>
                      {typeof value === "number" ? formatMetric(value) : "–"}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          )}
        </table>
      </div>
    </section>
  );
}
