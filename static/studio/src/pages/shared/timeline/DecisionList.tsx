/** All decisions as a table in the order they were taken, some at a time; a click shows one on the time line. */
import { useMemo, useState } from "react";
import { t, tn } from "../../../i18n";
import { type Decision, MAX_DECISIONS } from "../../../lib/decisions";
import { formatNumber, formatTime } from "../../../lib/format";
import { Button } from "../../../ui";
import { Evidence } from "./DecisionDetail";
import styles from "./timeline.module.css";
import { kindLabel, messageOf } from "./words";

const PAGE = 50;

export interface DecisionListProps {
  decisions: readonly Decision[];
  chosen: Decision | null;
  onChoose: (decision: Decision) => void;
}

export function DecisionList({ decisions, chosen, onChoose }: DecisionListProps) {
  const [open, setOpen] = useState(false);
  const [pages, setPages] = useState(1);
  const ordered = useMemo(() => [...decisions].sort((a, b) => a.seq - b.seq), [decisions]);
  const shown = ordered.slice(0, pages * PAGE);
  return (
    <details className={styles.list} open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {t("List of decisions")} <span className="muted numeric">{formatNumber(decisions.length)}</span>
      </summary>
      {open && (
        <>
          {decisions.length >= MAX_DECISIONS && (
            <p className="muted small">{t("Only the newest {count} are shown.", { count: MAX_DECISIONS })}</p>
          )}
          <div className="table-scroll">
            <table className="table">
              <thead>
                <tr>
                  <th className="numeric">{t("Step")}</th>
                  <th>{t("Time")}</th>
                  <th>{t("Kind")}</th>
                  <th>{t("Decision")}</th>
                  <th>{t("What was measured")}</th>
                </tr>
              </thead>
              <tbody>
                {shown.map((decision) => (
                  <tr key={decision.seq} aria-current={decision === chosen || undefined}>
                    <td className="numeric">
                      <button type="button" className={styles.step} onClick={() => onChoose(decision)}>
                        {formatNumber(decision.step)}
                      </button>
                    </td>
                    <td className="numeric">{formatTime(decision.t)}</td>
                    <td>{kindLabel(decision.kind)}</td>
                    <td className={styles.message}>{messageOf(decision)}</td>
                    <td className={styles.measured}>
                      <Evidence decision={decision} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {shown.length < decisions.length && (
            <Button small onClick={() => setPages(pages + 1)}>
              {tn("Show {count} more", "Show {count} more", Math.min(PAGE, decisions.length - shown.length))}
            </Button>
          )}
        </>
      )}
    </details>
  );
}
