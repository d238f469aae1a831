/** What happened before the page was opened: log lines and system metrics, joined to the live ones. */
import { useEffect, useMemo, useState } from "react";
import { api, query } from "../../lib/api";
import type { LogLine, RunState, SystemPoint } from "../../lib/live";
import { logLine, systemPoint } from "../../lib/runState";
import type { Items, RunEvent } from "../../lib/types";

const PAGE = 2000;
const MOST = 20_000;

async function readAll<T extends { seq: number }>(
  path: string,
  head: number,
  add: (items: T[]) => void,
  gone: () => boolean,
) {
  let after = 0;
  for (let read = 0; read < MOST && after < head; ) {
    const { items } = await api.get<Items<T>>(
      `${path}${path.includes("?") ? "&" : "?"}${query({ after, limit: PAGE }).slice(1)}`,
    );
    if (gone() || items.length === 0) {
      return;
    }
    add(items);
    read += items.length;
    after = items[items.length - 1]!.seq;
  }
}

export interface RunHistory {
  log: LogLine[];
  system: SystemPoint[];
  error: Error | null;
}

/** Log and system metrics of a run, complete from its first event. */
export function useRunHistory(state: RunState | null): RunHistory {
  const id = state?.run.id ?? null;
  const head = state?.run.head_seq ?? 0;
  const [log, setLog] = useState<LogLine[]>([]);
  const [system, setSystem] = useState<SystemPoint[]>([]);
  const [error, setError] = useState<Error | null>(null);

  useEffect(() => {
    if (!id) {
      return;
    }
    let gone = false;
    setLog([]);
    setSystem([]);
    const failed = (reason: unknown) => setError(reason instanceof Error ? reason : new Error(String(reason)));
    const over = () => gone;
    readAll<RunEvent>(
      `/runs/${id}/log`,
      head,
      (items) => setLog((all) => [...all, ...items.flatMap((event) => logLine(event) ?? [])]),
      over,
    ).catch(failed);
    readAll<RunEvent>(
      `/runs/${id}/events?types=system`,
      head,
      (items) =>
        setSystem((all) => [
          ...all,
          ...items.flatMap((event) => (event.type === "system" ? [systemPoint(event)] : [])),
        ]),
      over,
    ).catch(failed);
    return () => {
      gone = true;
    };
  }, [id, head]);

  const liveLog = state?.log;
  const liveSystem = state?.system;
  return {
    log: useMemo(() => {
      const last = log[log.length - 1]?.seq ?? 0;
      return [...log, ...(liveLog ?? []).filter((line) => line.seq > last)];
    }, [log, liveLog]),
    system: useMemo(() => {
      const last = system[system.length - 1]?.t ?? 0;
      return [...system, ...(liveSystem ?? []).filter((point) => point.t > last)];
    }, [system, liveSystem]),
    error,
  };
}
