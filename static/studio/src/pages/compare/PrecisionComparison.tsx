/** The precision of the trainings of several runs under one axis of steps: who switched, when and to what. */
import { useEffect, useMemo, useState } from "react";
import { t } from "../../i18n";
import { type Decision, decisionOf, MAX_DECISIONS, mergeDecisions } from "../../lib/decisions";
import { formatNumber } from "../../lib/format";
import { readAll } from "../../lib/history";
import type { Run, RunEvent } from "../../lib/runTypes";
import timeline from "../shared/timeline/timeline.module.css";
import { messageOf } from "../shared/timeline/words";
import styles from "./compare.module.css";
import { type PrecisionRow, precisionRows } from "./precisionRows";

const MOST_TOLD = 3;
const HEIGHT = 14;

export interface PrecisionComparisonProps {
  runs: readonly Run[];
  heads: readonly { id: string; title: string; color: string; href: string }[];
  lastSteps: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** The decisions of each run; one that cannot be read has none. */
function useDecisionsOf(runs: readonly Run[]): Record<string, readonly Decision[]> {
  const [found, setFound] = useState<Record<string, readonly Decision[]>>({});
  useEffect(() => {
    let gone = false;
    for (const { id, head_seq } of runs) {
      const add = (items: RunEvent[]) =>
        setFound((all) => ({
          ...all,
          [id]: mergeDecisions(
            all[id] ?? [],
            items.flatMap((event) => decisionOf(event) ?? []),
          ),
        }));
      readAll<RunEvent>(`/runs/${id}/events?types=decision`, head_seq, add, () => gone, MAX_DECISIONS).catch(() => {
        // The time line is an extra here: the page of the run says what is wrong.
      });
    }
    return () => {
      gone = true;
    };
  }, [runs]);
  return found;
}

export function PrecisionComparison({ runs, heads, lastSteps }: PrecisionComparisonProps) {
  const decisions = useDecisionsOf(runs);
  const rows = useMemo(
    () =>
      precisionRows(
        runs.map((run) => run.id),
        decisions,
        lastSteps,
      ),
    [runs, decisions, lastSteps],
  );
  if (rows.length === 0) {
    return null;
  }
  const end = Math.max(1, ...rows.map((row) => row.end));
  return (
    <section className="card" aria-label={t("Precision")}>
      <div className="card-head">
        <h2>{t("Precision")}</h2>
      </div>
      <div className="table-scroll">
        <table className={`table ${styles.precision}`}>
          <thead>
            <tr>
              <th>{t("Run")}</th>
              <th>{t("Steps 0 to {last}", { last: formatNumber(end) })}</th>
              <th>{t("Switches")}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => {
              const head = heads.find((one) => one.id === row.run);
              return (
                <tr key={`${row.run} ${row.block}`}>
                  <td>
                    <a href={head?.href} className={styles.runHead}>
                      <i style={{ background: `var(${head?.color})` }} />
                      {head?.title}
                    </a>{" "}
                    <code>{row.block}</code>
                  </td>
                  <td className={styles.track}>
                    <Track row={row} end={end} />
                  </td>
                  <td className={styles.switches}>
                    <Switches row={row} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Track({ row, end }: { row: PrecisionRow; end: number }) {
  return (
    <svg width="100%" height={HEIGHT} aria-hidden="true">
      {row.spans.map((span) => (
        <rect
          key={span.from}
          className={timeline.span}
          data-rung={span.rung}
          x={`${(100 * span.from) / end}%`}
          width={`${(100 * Math.max(0, (span.to ?? row.end) - span.from)) / end}%`}
          height={HEIGHT}
        ></rect>
      ))}
    </svg>
  );
}

function Switches({ row }: { row: PrecisionRow }) {
  if (row.switches.length === 0) {
    return (
      <>
        {t("No switch")} · <span translate="no">{row.spans[0]!.rung}</span>
      </>
    );
  }
  return (
    <ul>
      {row.switches.slice(0, MOST_TOLD).map(({ step, from, to, decision }) => (
        <li key={step} title={decision ? messageOf(decision) : undefined}>
          {t("Step {step}", { step: formatNumber(step) })}{" "}
          <span translate="no">
            {from} → {to}
          </span>
        </li>
      ))}
      {row.switches.length > MOST_TOLD && <li>{t("and {count} more", { count: row.switches.length - MOST_TOLD })}</li>}
    </ul>
  );
}
