/** Why: the message of one decision, or of some at nearly one step, and what was measured. */
import { t } from "../../../i18n";
import { type Decision, evidenceRows } from "../../../lib/decisions";
import { formatNumber } from "../../../lib/format";
import styles from "./timeline.module.css";
import { evidenceName, evidenceValue, kindLabel, messageOf, toneOf } from "./words";

const MOST = 6;

export interface DecisionDetailProps {
  decisions: readonly Decision[];
  /** Nothing is pointed at: this is the newest. */
  newest: boolean;
}

export function DecisionDetail({ decisions, newest }: DecisionDetailProps) {
  return (
    <div className={styles.detail} aria-live="polite">
      {decisions.slice(0, MOST).map((decision) => (
        <article key={decision.seq} data-tone={toneOf(decision)}>
          <p className={styles.detailHead}>
            <b>{t("Step {step}", { step: formatNumber(decision.step) })}</b>
            <span>
              {newest ? t("{kind}, the newest decision", { kind: kindLabel(decision.kind) }) : kindLabel(decision.kind)}
            </span>
          </p>
          <p>{messageOf(decision)}</p>
          <Evidence decision={decision} />
        </article>
      ))}
      {decisions.length > MOST && (
        <p className="muted small">{t("and {count} more", { count: decisions.length - MOST })}</p>
      )}
    </div>
  );
}

export function Evidence({ decision }: { decision: Decision }) {
  const rows = evidenceRows(decision.evidence);
  if (rows.length === 0) {
    return null;
  }
  return (
    <dl className={styles.evidence} aria-label={t("What was measured")}>
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{evidenceName(name)}</dt>
          <dd className={typeof value === "number" ? "numeric" : undefined}>{evidenceValue(value)}</dd>
        </div>
      ))}
    </dl>
  );
}
