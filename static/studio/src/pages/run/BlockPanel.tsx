/** One block of a run: its state, why it ran or was cached, how long it took, its numbers and its error. */
import { t, tError } from "../../i18n";
import { formatDuration, formatMetric, formatPercent } from "../../lib/format";
import type { Run } from "../../lib/runTypes";
import { Button, IconButton, Notice, Progress, StatusBadge } from "../../ui";
import { titleOf } from "../shared/DocumentGraph";
import styles from "./run.module.css";

export interface BlockPanelProps {
  run: Run;
  block: string;
  onClose: () => void;
  onShowLog: () => void;
}

export function BlockPanel({ run, block: id, onClose, onShowLog }: BlockPanelProps) {
  const block = run.blocks[id] ?? { state: "waiting" as const };
  const metrics = Object.entries(block.metrics ?? {});
  const progress = block.state === "running" ? block.progress : null;
  return (
    <section className={styles.block} aria-label={titleOf(run.document, id)}>
      <header className={styles.outputHead}>
        <h2>{titleOf(run.document, id)}</h2>
        <StatusBadge status={block.state} />
        <span className="muted small">{run.document.blocks[id]?.type}</span>
        <span className="push row">
          <Button small icon="list" onClick={onShowLog}>
            {t("Show log")}
          </Button>
          <IconButton icon="close" small label={t("Close")} onClick={onClose} />
        </span>
      </header>
      {progress && (
        <div>
          <Progress value={progress.total > 0 ? progress.done / progress.total : null} label={t("Progress")} />
          <p className="muted small">
            {t("{done} of {total} {unit}", { done: progress.done, total: progress.total, unit: t(progress.unit) })}
            {" · "}
            {formatPercent(progress.total > 0 ? progress.done / progress.total : 0, 0)}
            {progress.eta_s !== null && ` · ${t("{time} left", { time: formatDuration(progress.eta_s) })}`}
          </p>
        </div>
      )}
      <dl className={styles.facts}>
        {block.reason && (
          <div>
            <dt>{t("Why")}</dt>
            <dd>{tError(block.reason)}</dd>
          </div>
        )}
        {block.because && (
          <div>
            <dt>{t("Skipped because of")}</dt>
            <dd>{titleOf(run.document, block.because)}</dd>
          </div>
        )}
        {block.duration_s !== undefined && block.duration_s !== null && (
          <div>
            <dt>{t("Duration")}</dt>
            <dd>{formatDuration(block.duration_s)}</dd>
          </div>
        )}
        {metrics.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="numeric">{formatMetric(value)}</dd>
          </div>
        ))}
      </dl>
      {block.error && <Notice tone="danger">{tError(block.error)}</Notice>}
    </section>
  );
}
