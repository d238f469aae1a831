/** Run, run parts, cancel, and how the run stands. */
import { t } from "../../i18n";
import { Button, Icon, Menu, StatusBadge } from "../../ui";
import { onlyBlock } from "../store/commands";
import { useBuilder, useBuilderState } from "../store/context";
import { cancelRun, isActive, startRun } from "../store/runs";
import type { RunView } from "../store/state";

export function RunControls() {
  const { store, saver } = useBuilder();
  const run = useBuilderState((state) => state.run);
  const selected = useBuilderState((state) => onlyBlock(state.selection));
  const canEdit = useBuilderState((state) => state.canEdit);
  const isEmpty = useBuilderState((state) => Object.keys(state.sync.document.blocks).length === 0);
  const active = isActive(run);
  return (
    <span className="bar-group run-controls">
      {run && <RunSummary run={run} />}
      {active ? (
        <Button icon="stop" busy={run?.cancelRequested} onClick={() => cancelRun(store)}>
          {run?.cancelRequested ? t("Cancelling…") : t("Cancel")}
        </Button>
      ) : (
        <Button
          variant="primary"
          icon="play"
          disabled={!canEdit || isEmpty}
          onClick={() => startRun(store, saver)}
          data-testid="run-all"
        >
          {t("Run all")}
        </Button>
      )}
      <Menu
        label={t("Ways to run")}
        icon="down"
        items={[
          { label: t("Run all"), icon: "play", disabled: !canEdit || active, onSelect: () => startRun(store, saver) },
          {
            label: t("Run to here"),
            icon: "right",
            disabled: !selected || !canEdit || active,
            onSelect: () => selected && startRun(store, saver, { targets: [selected] }),
          },
          {
            label: t("Run from here"),
            icon: "skip",
            disabled: !selected || !canEdit || active,
            onSelect: () => selected && startRun(store, saver, { rerun_from: selected }),
          },
        ]}
      />
    </span>
  );
}

function RunSummary({ run }: { run: RunView }) {
  const projectId = useBuilderState((state) => state.projectId);
  const states = Object.values(run.blocks);
  const done = states.filter((block) => block.state === "done" || block.state === "cached").length;
  const running = Object.entries(run.blocks).find(([, block]) => block.state === "running")?.[0];
  return (
    <>
      <a className="run-summary" href={`/p/${projectId}/runs/${run.id}`} title={run.error ?? t("Open the run")}>
        <StatusBadge status={run.status} />
        <span>
          {isActive(run)
            ? run.status === "queued" && run.queuePosition
              ? t("#{number} · place {place} in the queue", { number: run.number, place: run.queuePosition })
              : t("#{number} · {done} of {total} blocks", { number: run.number, done, total: states.length })
            : t("Run {number}", { number: String(run.number) })}
        </span>
        <Icon name="external" size={12} />
      </a>
      <span className="visually-hidden" role="status" aria-live="polite">
        {running
          ? t("{block} is running", { block: running })
          : t("Run {number}: {status}", { number: String(run.number), status: t(run.status) })}
      </span>
    </>
  );
}
