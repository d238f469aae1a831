/** The top of the run page: name, status, facts, tags and what can be done with the run. */
import { useEffect, useState } from "react";
import { t } from "../../i18n";
import { api } from "../../lib/api";
import { formatAge, formatDate, formatDuration } from "../../lib/format";
import { isOver, type LinkState, type RunState } from "../../lib/live";
import type { Run, RunSummary } from "../../lib/runTypes";
import { formatRate, ratesOf } from "../../lib/throughput";
import { urls } from "../../lib/urls";
import { Badge, Button, FormDialog, LinkButton, Menu, StatusBadge, useToast } from "../../ui";
import { EditRunDialog } from "../runs/EditRunDialog";
import styles from "./run.module.css";

export function userName(user: RunSummary["user"]): string {
  return typeof user === "string" ? user : (user?.name ?? "");
}

export function runTitle(run: Pick<RunSummary, "name" | "number">): string {
  return run.name ? `#${run.number} ${run.name}` : t("Run {number}", { number: run.number });
}

/** Seconds since the run began, counting while it runs. */
function useElapsed(run: Run): number | null {
  const running = run.status === "running" && run.started !== null;
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!running) {
      return;
    }
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [running]);
  return running ? Math.max(0, (now - Date.parse(run.started ?? "")) / 1000) : run.duration_s;
}

export interface RunHeaderProps {
  state: RunState;
  link: LinkState;
  mayEdit: boolean;
  onChanged: () => void;
}

export function RunHeader({ state, link, mayEdit, onChanged }: RunHeaderProps) {
  const { run } = state;
  const toast = useToast();
  const [asked, setAsked] = useState(false);
  const [dialog, setDialog] = useState<"edit" | "delete" | null>(null);
  const over = isOver(run.status);
  const elapsed = useElapsed(run);
  const cancelling = !over && (asked || state.cancelRequested);
  const cancel = async () => {
    setAsked(true);
    try {
      await api.post(`/runs/${run.id}/cancel`);
    } catch (reason) {
      setAsked(false);
      toast.error(reason);
    }
  };
  return (
    <header className={styles.head}>
      <h1 className={styles.name}>{runTitle(run)}</h1>
      <span aria-live="polite">
        <StatusBadge status={run.status}>
          {run.status === "queued" && run.queue_position ? ` · ${t("place {n}", { n: run.queue_position })}` : null}
        </StatusBadge>
      </span>
      {link === "offline" && !over && <Badge tone="warn">{t("Connection lost, trying again")}</Badge>}
      {run.tags.map((tag) => (
        <span key={tag} className="chip">
          {tag}
        </span>
      ))}
      <span className="push row row-wrap">
        {!over && mayEdit && (
          <Button variant="danger" icon="stop" busy={cancelling} onClick={() => void cancel()}>
            {cancelling ? t("Cancelling…") : t("Cancel run")}
          </Button>
        )}
        {run.pipeline && (
          <LinkButton icon="graph" href={urls.pipeline(run.project, run.pipeline)}>
            {t("Open pipeline")}
          </LinkButton>
        )}
        <Menu
          label={t("Actions for {title}", { title: runTitle(run) })}
          items={[
            {
              label: t("Edit name, tags and notes"),
              icon: "edit",
              disabled: !mayEdit,
              onSelect: () => setDialog("edit"),
            },
            {
              label: t("Delete"),
              icon: "trash",
              danger: true,
              disabled: !mayEdit || !over,
              onSelect: () => setDialog("delete"),
            },
          ]}
        />
      </span>
      <Facts run={run} elapsed={elapsed} />
      {dialog === "edit" && (
        <EditRunDialog
          run={run}
          onClose={() => setDialog(null)}
          onSaved={() => {
            setDialog(null);
            onChanged();
          }}
        />
      )}
      {dialog === "delete" && (
        <FormDialog
          title={t("Delete {name}?", { name: runTitle(run) })}
          action={t("Delete run")}
          danger
          onClose={() => setDialog(null)}
          onSubmit={async () => {
            await api.del(`/runs/${run.id}`);
            window.location.assign(urls.runs(run.project));
          }}
        >
          <p>{t("Its curves, log and results are deleted. Registered models stay.")}</p>
        </FormDialog>
      )}
    </header>
  );
}

function Facts({ run, elapsed }: { run: Run; elapsed: number | null }) {
  const by = userName(run.user);
  return (
    <dl className={styles.facts}>
      {elapsed !== null && (
        <div>
          <dt>{t("Duration")}</dt>
          <dd className="numeric">{formatDuration(elapsed)}</dd>
        </div>
      )}
      <div title={formatDate(run.created)}>
        <dt>{t("Created")}</dt>
        <dd>{formatAge(run.created)}</dd>
      </div>
      {by && (
        <div>
          <dt>{t("By")}</dt>
          <dd>{by}</dd>
        </div>
      )}
      {isOver(run.status) &&
        Object.keys(run.document.blocks).flatMap((block) =>
          ratesOf(run.metrics, block).map((rate) => (
            <div key={`${block} ${rate.unit}`}>
              <dt>{t("Throughput")}</dt>
              <dd className="numeric">{formatRate(rate)}</dd>
            </div>
          )),
        )}
      {run.device && (
        <div>
          <dt>{t("Device")}</dt>
          <dd translate="no">{run.device}</dd>
        </div>
      )}
      {(run.attempt ?? 0) > 1 && (
        <div>
          <dt>{t("Attempt")}</dt>
          <dd>{run.attempt}</dd>
        </div>
      )}
      <div>
        <dt>{t("Seed")}</dt>
        <dd>{run.document.seed}</dd>
      </div>
      {run.notes && (
        <div>
          <dt>{t("Notes")}</dt>
          <dd>{run.notes}</dd>
        </div>
      )}
    </dl>
  );
}
