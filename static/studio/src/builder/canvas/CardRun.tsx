/** The run on a card: status, progress with time left, the newest numbers, and why it will run or is cached. */
import { memo } from "react";
import { asMessage, badgeOf, cardState, headlineMetrics, shareOf } from "../../graph/runview";
import { t } from "../../i18n";
import { formatDuration, formatMetric } from "../../lib/format";
import { formatRate, ratesOf } from "../../lib/throughput";
import { Icon, type IconName, statusLabel } from "../../ui";
import { Suggestions } from "../inspector/Suggestions";
import { useBuilderState } from "../store/context";
import { tMessage, words } from "../texts";
import { CardCurve, curveName } from "./CardCurve";

const ICONS: Readonly<Record<string, IconName>> = {
  waiting: "clock",
  running: "spinner",
  done: "check",
  cached: "check",
  failed: "error",
  skipped: "skip",
  cancelled: "stop",
};

interface CardStatusProps {
  readonly id: string;
  readonly worst: "error" | "warning" | null;
}

export const CardStatus = memo(function CardStatus({ id, worst }: CardStatusProps) {
  const state = useBuilderState((all) => cardState(all.run?.blocks[id]));
  const active = useBuilderState((all) => all.run?.status === "queued" || all.run?.status === "running");
  const problem = useBuilderState((all) => all.problems.find((one) => one.block === id && one.severity === worst));
  if (worst && problem)
    return (
      <span className="block-status" data-state={worst} title={tMessage(problem)}>
        <Icon name={worst === "error" ? "error" : "warning"} label={tMessage(problem)} />
      </span>
    );
  if (state === "idle" || (state === "waiting" && !active)) return null;
  return (
    <span className="block-status" data-state={state} title={statusLabel(state)}>
      <Icon name={ICONS[state] ?? "info"} label={statusLabel(state)} />
    </span>
  );
});

export const CardRun = memo(function CardRun({ id }: { id: string }) {
  const block = useBuilderState((state) => state.run?.blocks[id]);
  return (
    <>
      <CardCurve id={id} />
      {block?.state === "running" && <RunProgress id={id} />}
      {block?.error && cardState(block) === "failed" && (
        <p className="block-error">{t(block.error.template ?? block.error.message, block.error.values)}</p>
      )}
      <Suggestions id={id} />
      <CardFoot id={id} />
    </>
  );
});

function RunProgress({ id }: { id: string }) {
  const progress = useBuilderState((state) => state.run?.blocks[id]?.progress);
  const share = shareOf(progress);
  return (
    <div className="block-progress">
      <div className="progress" data-busy={share === null || undefined}>
        <div style={{ width: `${(share ?? 1) * 100}%` }} />
      </div>
      {progress && (
        <div className="block-progress-text">
          <span>
            {t("{done} of {total} {unit}", { done: progress.done, total: progress.total, unit: t(progress.unit) })}
          </span>
          {progress.eta_s !== null && <span>{t("{time} left", { time: formatDuration(progress.eta_s) })}</span>}
        </div>
      )}
      <Speed id={id} />
    </div>
  );
}

/** How fast the block goes, and in what precision. */
function Speed({ id }: { id: string }) {
  const rates = useBuilderState((state) =>
    ratesOf(state.run?.metrics ?? {}, id)
      .map(formatRate)
      .join(" · "),
  );
  const rung = useBuilderState((state) => state.run?.blocks[id]?.rung ?? null);
  if (!rates && !rung) return null;
  return (
    <div className="block-progress-text">
      <span>{rates}</span>
      {rung && (
        <span translate="no" title={t("Precision in use")}>
          {rung}
        </span>
      )}
    </div>
  );
}

function CardFoot({ id }: { id: string }) {
  const block = useBuilderState((state) => state.run?.blocks[id]);
  const planned = useBuilderState((state) => state.plan[id]);
  const bypassed = useBuilderState((state) => state.sync.document.blocks[id]?.bypass === true);
  const active = useBuilderState((state) => state.run?.status === "queued" || state.run?.status === "running");
  const badge = active ? null : badgeOf(planned, bypassed);
  // The curve says its numbers itself.
  const hasCurve = useBuilderState((state) => curveName(state.run, id) !== null);
  const metrics = hasCurve ? [] : headlineMetrics(block?.metrics);
  const cached = active && block?.state === "cached";
  if (metrics.length === 0 && !badge && !cached && !block?.duration_s) return null;
  const reason =
    cached && block.reason ? tMessage(asMessage(block.reason)) : badge?.reason ? tMessage(badge.reason) : null;
  return (
    <footer className="block-foot">
      {metrics.map(([name, value]) => (
        <span key={name} className="block-metric" title={t(words(name))}>
          {t(words(name))} <b>{formatMetric(value)}</b>
        </span>
      ))}
      {metrics.length === 0 && block?.state === "done" && block.duration_s ? (
        <span className="block-metric">{formatDuration(block.duration_s)}</span>
      ) : null}
      {(badge || cached) && (
        <span className="block-badge" data-kind={cached ? "cached" : badge?.kind} title={reason ?? undefined}>
          {cached || badge?.kind === "cached" ? t("cached") : t("will run")}
          {reason && badge?.kind === "will_run" && <em>{reason}</em>}
        </span>
      )}
    </footer>
  );
}
