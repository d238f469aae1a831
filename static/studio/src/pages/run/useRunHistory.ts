/** What happened before the page was opened: log lines and decisions, joined to the live ones. */
import { useEffect, useMemo, useState } from "react";
import { api, query } from "../../lib/api";
import { type Decision, decisionOf, MAX_DECISIONS, mergeDecisions } from "../../lib/decisions";
import type { LogLine, RunState } from "../../lib/live";
import { logLine } from "../../lib/runState";
import type { RunEvent } from "../../lib/runTypes";
import type { Items } from "../../lib/types";

const PAGE = 2000;
const MOST = 20_000;

export async function readAll<T extends { seq: number }>(
  path: string,
  head: number,
  add: (items: T[]) => void,
  gone: () => boolean,
  most = MOST,
) {
  let after = 0;
  for (let read = 0; read < most && after < head; ) {
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
  /** In ascending step; at most so many that the page stays light. */
  decisions: readonly Decision[];
  error: Error | null;
}

/** Log and decisions of a run from its first event. */
export function useRunHistory(state: RunState | null): RunHistory {
  const id = state?.run.id ?? null;
  const head = state?.run.head_seq ?? 0;
  const [log, setLog] = useState<LogLine[]>([]);
  const [decisions, setDecisions] = useState<readonly Decision[]>([]);
  const [error, setError] = useState<Error | null>(null);

  useEffect(() => {
    if (!id) {
      return;
    }
    let gone = false;
    setLog([]);
    setDecisions([]);
    const failed = (reason: unknown) => setError(reason instanceof Error ? reason : new Error(String(reason)));
    const over = () => gone;
    readAll<RunEvent>(
      `/runs/${id}/log`,
      head,
      (items) => setLog((all) => [...all, ...items.flatMap((event) => logLine(event) ?? [])]),
      over,
    ).catch(failed);
    readAll<RunEvent>(
      `/runs/${id}/events?types=decision`,
      head,
      (items) =>
        setDecisions((all) =>
          mergeDecisions(
            all,
            items.flatMap((event) => decisionOf(event) ?? []),
          ),
        ),
      over,
      MAX_DECISIONS,
    ).catch(failed);
    return () => {
      gone = true;
    };
  }, [id, head]);

  const liveLog = state?.log;
  const liveDecisions = state?.decisions;
  return {
    log: useMemo(() => {
      const last = log[log.length - 1]?.seq ?? 0;
      return [...log, ...(liveLog ?? []).filter((line) => line.seq > last)];
    }, [log, liveLog]),
    decisions: useMemo(() => mergeDecisions(decisions, liveDecisions ?? []), [decisions, liveDecisions]),
    error,
  };
}
