/** What the run does now: each running block with how far it is, what is left, how fast it goes and in what precision. */
import { t } from "../../i18n";
import { formatDuration, formatNumber } from "../../lib/format";
import type { BlockRun, Run } from "../../lib/runTypes";
import { formatRate, ratesOf } from "../../lib/throughput";
import { Progress } from "../../ui";
import styles from "./run.module.css";

export function RunNow({ run }: { run: Run }) {
  const running = Object.entries(run.blocks).filter(([, block]) => block.state === "running");
  if (run.status !== "running" || running.length === 0) {
    return null;
  }
  return (
    <ul className={styles.now} aria-label={t("Running now")}>
      {running.map(([id, block]) => (
        <RunningBlock key={id} id={id} block={block} run={run} />
      ))}
    </ul>
  );
}

function RunningBlock({ id, block, run }: { id: string; block: BlockRun; run: Run }) {
  const { progress, rung } = block;
  const rates = ratesOf(run.metrics, id);
  const known = progress && progress.total > 0;
  return (
    <li>
      <b translate="no">{run.document.blocks[id]?.label || id}</b>
      <span className={styles.nowBar}>
        <Progress
          value={known ? Math.min(1, progress.done / progress.total) : null}
          label={t("Progress of {block}", { block: id })}
        />
      </span>
      {known && (
        <span className="numeric">
          {t("{done} of {total} {unit}", {
            done: formatNumber(progress.done, 4),
            total: progress.total,
            unit: t(progress.unit),
          })}
        </span>
      )}
      {progress?.eta_s !== null && progress?.eta_s !== undefined && (
        <span className={styles.nowFact}>{t("{time} left", { time: formatDuration(progress.eta_s) })}</span>
      )}
      {rates.map((rate) => (
        <span key={rate.unit} className={`${styles.nowFact} numeric`}>
          {formatRate(rate)}
        </span>
      ))}
      {rung && (
        <span className="chip" title={t("Precision in use")} translate="no">
          {rung}
        </span>
      )}
    </li>
  );
}
