/** Who runs what on which device, who waits and at which place, and which workers there are. Live. */
import { useEffect, useState } from "react";
import { t, tn } from "../i18n";
import { api } from "../lib/api";
import { formatAge, formatBytes, formatDuration } from "../lib/format";
import { useBell, useLoad } from "../lib/live";
import type { QueueJson, QueueRun } from "../lib/runTypes";
import type { PageProps } from "../lib/types";
import { urls } from "../lib/urls";
import { Badge, Button, EmptyState, ErrorState, Icon, LoadingState, Notice, StatusBadge, useToast } from "../ui";
import { runTitle, userName } from "./run/RunHeader";

const REFRESH_MS = 3000;

/** Reload often enough that the page is live, and never while it is hidden. */
function useRefresh(reload: () => void): void {
  useEffect(() => {
    const tick = () => {
      if (document.visibilityState === "visible") {
        reload();
      }
    };
    const timer = setInterval(tick, REFRESH_MS);
    document.addEventListener("visibilitychange", tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", tick);
    };
  }, [reload]);
}

export default function Queue({ workspace, project }: PageProps) {
  const { data, error, reload } = useLoad<QueueJson>(`/workspaces/${workspace.id}/queue`);
  useRefresh(reload);
  useBell(project?.id, reload);
  if (error && !data) {
    return <ErrorState error={error} retry={reload} />;
  }
  if (!data) {
    return <LoadingState />;
  }
  const mayEdit = workspace.role !== "viewer";
  return (
    <div className="stack">
      <div className="page-head" style={{ marginBottom: 0 }}>
        <h1>{t("Queue")}</h1>
        <span className="muted">
          {t("{running} running, {waiting} waiting", { running: data.running.length, waiting: data.waiting.length })}
        </span>
      </div>
      {error && <Notice tone="warn">{t("Not live: {message}", { message: error.message })}</Notice>}
      {data.workers.length === 0 && (
        <Notice tone="warn">{t("No worker is online. Runs wait until one starts: deepseek worker")}</Notice>
      )}
      <section className="card" aria-label={t("Runs")}>
        {data.running.length + data.waiting.length === 0 ? (
          <EmptyState compact icon="queue" title={t("Nothing is running")}>
            {t("A run that you start appears here at once.")}
          </EmptyState>
        ) : (
          <div className="table-scroll">
            <table className="table">
              <thead>
                <tr>
                  <th>{t("Run")}</th>
                  <th>{t("Status")}</th>
                  <th>{t("Project")}</th>
                  <th>{t("By")}</th>
                  <th>{t("Device")}</th>
                  <th>{t("Since")}</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {data.running.map((run) => (
                  <QueueRow key={run.id} run={run} status="running" mayEdit={mayEdit} onChanged={reload} />
                ))}
                {data.waiting.map((run) => (
                  <QueueRow key={run.id} run={run} status="queued" mayEdit={mayEdit} onChanged={reload} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
      {data.workers.length > 0 && <Workers workers={data.workers} running={data.running} />}
    </div>
  );
}

interface RowProps {
  run: QueueRun;
  status: "running" | "queued";
  mayEdit: boolean;
  onChanged: () => void;
}

function QueueRow({ run, status, mayEdit, onChanged }: RowProps) {
  const toast = useToast();
  const [asked, setAsked] = useState(false);
  const cancelling = asked || run.cancel_requested === true;
  const project = typeof run.project === "object" ? run.project : null;
  const title = runTitle({ name: run.name, number: run.number ?? 0 });
  const cancel = async () => {
    setAsked(true);
    try {
      await api.post(`/runs/${run.id}/cancel`);
      onChanged();
    } catch (reason) {
      setAsked(false);
      toast.error(reason);
    }
  };
  return (
    <tr>
      <td>{project ? <a href={urls.run(project.id, run.id)}>{title}</a> : title}</td>
      <td>
        <StatusBadge status={status}>{run.position ? ` · ${t("place {n}", { n: run.position })}` : null}</StatusBadge>
      </td>
      <td>{project?.name}</td>
      <td>{userName(run.user ?? null)}</td>
      <td>
        {run.device ?? <span className="muted">–</span>}
        {run.worker && <span className="muted small"> · {run.worker}</span>}
      </td>
      <td className="muted">
        {run.started
          ? formatDuration((Date.now() - Date.parse(run.started)) / 1000)
          : run.created && formatAge(run.created)}
      </td>
      <td style={{ textAlign: "right" }}>
        {mayEdit && (
          <Button small icon="stop" busy={cancelling} onClick={() => void cancel()}>
            {cancelling ? t("Cancelling…") : t("Cancel")}
          </Button>
        )}
      </td>
    </tr>
  );
}

function Workers({ workers, running }: { workers: QueueJson["workers"]; running: QueueRun[] }) {
  return (
    <section className="card" aria-label={t("Workers")}>
      <div className="card-head">
        <h2>{t("Workers")}</h2>
        <span className="muted small">{tn("{count} worker", "{count} workers", workers.length)}</span>
      </div>
      <div className="table-scroll">
        <table className="table">
          <thead>
            <tr>
              <th>{t("Worker")}</th>
              <th>{t("Device")}</th>
              <th>{t("Memory")}</th>
              <th>{t("Now")}</th>
            </tr>
          </thead>
          <tbody>
            {workers.flatMap((worker) =>
              worker.devices.map((device) => {
                const run = running.find((one) => one.id === device.run);
                return (
                  <tr key={`${worker.id} ${device.type} ${device.index}`}>
                    <td>
                      <span className="row">
                        <Icon name="device" />
                        {worker.name}
                        <Badge tone={worker.online ? "ok" : "warn"}>{worker.online ? t("Online") : t("Offline")}</Badge>
                      </span>
                    </td>
                    <td>
                      <span translate="no">{device.name || device.type}</span>{" "}
                      <span className="muted" translate="no">{`${device.type}:${device.index}`}</span>
                    </td>
                    <td className="muted">{device.memory_mib ? formatBytes(device.memory_mib * 2 ** 20) : "–"}</td>
                    <td>
                      {run ? (
                        runTitle({ name: run.name, number: run.number ?? 0 })
                      ) : device.busy ? (
                        <span className="muted">{t("Busy with a run of another workspace")}</span>
                      ) : (
                        <span className="muted">{t("Free")}</span>
                      )}
                    </td>
                  </tr>
                );
              }),
            )}
          </tbody>
        </table>
      </div>
    </section>
  );
}
