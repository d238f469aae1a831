/** What the last run made of the selected block: state, reason, time, numbers, error. */

import { hasCompression, isCompression } from "../../compression/CompressionPart";
import { PAIRED } from "../../compression/comparison";
import { asMessage, cardState } from "../../graph/runview";
import { t } from "../../i18n";
import { formatDuration, formatMetric } from "../../lib/format";
import { StatusBadge } from "../../ui";
import { useBuilderState } from "../store/context";
import { isActive } from "../store/runs";
import { tMessage, words } from "../texts";
import { BlockCompression } from "./BlockCompression";
import { Suggestions } from "./Suggestions";

export function BlockResult({ id }: { id: string }) {
  const block = useBuilderState((state) => state.run?.blocks[id]);
  const number = useBuilderState((state) => state.run?.number);
  const runId = useBuilderState((state) => state.run?.id);
  const projectId = useBuilderState((state) => state.projectId);
  const active = useBuilderState((state) => isActive(state.run));
  const planned = useBuilderState((state) => state.plan[id]);
  const type = useBuilderState((state) => state.sync.document.blocks[id]?.type);
  if (!block || !runId) return null;
  const state = cardState(block);
  const compressing = isCompression(type);
  const metrics = Object.entries(block.metrics ?? {}).filter(([name]) => !compressing || !PAIRED.has(name));
  return (
    <section className="inspector-result">
      <h3>
        {t("Run {number}", { number: String(number) })}
        <StatusBadge status={state === "idle" ? "waiting" : state} />
        <a href={`/p/${projectId}/runs/${runId}`}>{t("Open the run")}</a>
      </h3>
      {block.error && state === "failed" && (
        <p className="field-error">
          {t(block.error.template ?? block.error.message, block.error.values)}
          {block.error.hint && (
            <span className="muted"> {t(block.error.hint_template ?? block.error.hint, block.error.values)}</span>
          )}
        </p>
      )}
      {block.reason && <p className="muted small">{tMessage(asMessage(block.reason))}</p>}
      {!active && planned?.state === "will_run" && planned.reason && (
        <p className="muted small">
          {t("A next run computes this block: {reason}", { reason: tMessage(asMessage(planned.reason)) })}
        </p>
      )}
      <Suggestions id={id} />
      {type && hasCompression(type, block) && <BlockCompression id={id} type={type} />}
      {(metrics.length > 0 || block.duration_s) && (
        <dl>
          {block.duration_s ? (
            <div>
              <dt>{t("Time")}</dt>
              <dd>{formatDuration(block.duration_s)}</dd>
            </div>
          ) : null}
          {metrics.map(([name, value]) => (
            <div key={name}>
              <dt>{t(words(name))}</dt>
              <dd>{formatMetric(value)}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}
