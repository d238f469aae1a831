/** What happened before the page was opened: log lines and decisions, joined to the live ones. */
import { useEffect, useMemo, useState } from "react";
import type { Decision } from "../../lib/decisions";
import { readAll, useDecisions } from "../../lib/history";
import type { LogLine, RunState } from "../../lib/live";
import { logLine } from "../../lib/runState";
import type { RunEvent } from "../../lib/runTypes";

export interface RunHistory {
  log: LogLine[];
  /** In ascending step; at most so many that the page stays light. */
  decisions: readonly Decision[];
  error: Error | null;
}

const NONE: readonly Decision[] = [];

/** Log and decisions of a run from its first event. */
export function useRunHistory(state: RunState | null): RunHistory {
  const id = state?.run.id ?? null;
  const head = state?.run.head_seq ?? 0;
  const [log, setLog] = useState<LogLine[]>([]);
  const [error, setError] = useState<Error | null>(null);
  const decided = useDecisions(id, head, state?.decisions ?? NONE);

  useEffect(() => {
    if (!id) {
      return;
    }
    let gone = false;
    setLog([]);
    readAll<RunEvent>(
      `/runs/${id}/log`,
      head,
      (items) => setLog((all) => [...all, ...items.flatMap((event) => logLine(event) ?? [])]),
      () => gone,
    ).catch((reason: unknown) => setError(reason instanceof Error ? reason : new Error(String(reason))));
    return () => {
      gone = true;
    };
  }, [id, head]);

  const liveLog = state?.log;
  return {
    log: useMemo(() => {
      const last = log[log.length - 1]?.seq ?? 0;
      return [...log, ...(liveLog ?? []).filter((line) => line.seq > last)];
    }, [log, liveLog]),
    decisions: decided.decisions,
    error: error ?? decided.error,
  };
}
