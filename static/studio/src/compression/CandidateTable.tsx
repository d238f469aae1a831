/** The candidates of a search as a table beside the chart; the arrow keys go from one to the next. */
import { useId } from "react";
import { t } from "../i18n";
import { Badge, type Tone } from "../ui";
import { type Candidate, type Measure, measuresOf, type Search } from "./candidates";
import styles from "./compression.module.css";
import { measureLabel, measureText, reasonText, statusText } from "./words";

export interface CandidateTableProps {
  search: Search;
  selected: string | null;
  onSelect: (name: string) => void;
  /** Only the names and what matters most: for a narrow panel. */
  narrow?: boolean;
}

const NARROW: readonly Measure[] = ["latency_ms", "accuracy", "agreement"];

export function CandidateTable({ search, selected, onSelect, narrow }: CandidateTableProps) {
  const group = useId();
  const measures = measuresOf(search).filter((one) => !narrow || NARROW.includes(one));
  const hasReasons = !narrow && search.candidates.some((one) => one.reason);
  return (
    <div className={`table-scroll ${styles.candidates}`}>
      <table className={`table ${styles.table}`} aria-label={t("Candidates")}>
        <thead>
          <tr>
            <th>{t("Candidate")}</th>
            {!narrow && <th>{t("Status")}</th>}
            {measures.map((one) => (
              <th key={one} className="numeric">
                {measureLabel(one)}
              </th>
            ))}
            {!narrow && <th>{t("Runtime")}</th>}
            {hasReasons && <th>{t("Why refused")}</th>}
          </tr>
        </thead>
        <tbody>
          {search.candidates.map((one) => (
            <tr
              key={one.name}
              aria-current={one.name === selected || undefined}
              data-refused={one.refused || undefined}
            >
              <td>
                <label className={styles.choice}>
                  <input
                    type="radio"
                    name={group}
                    checked={one.name === selected}
                    onChange={() => onSelect(one.name)}
                  />
                  <span translate="no">{one.name}</span>
                </label>
              </td>
              {!narrow && (
                <td>
                  <Badge tone={toneOf(one, search)}>{statusText(one, search.front.has(one.name))}</Badge>
                </td>
              )}
              {measures.map((measure) => (
                <td key={measure} className="numeric">
                  {measureText(measure, one.values[measure])}
                </td>
              ))}
              {!narrow && <td translate="no">{one.runtime ?? "–"}</td>}
              {hasReasons && <td className={styles.reason}>{one.reason && reasonText(one.reason)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function toneOf(candidate: Candidate, search: Search): Tone {
  if (candidate.refused) {
    return "danger";
  }
  return candidate.baseline ? "neutral" : search.front.has(candidate.name) ? "accent" : "neutral";
}
