/**
 * React's view of live data: `useRun` follows one run, `useBell` reloads a list when it changes.
 *
 * Used by the run page, the builder and every list. The rules of reconnecting are in `socket.ts`, the
 * meaning of events in `runState.ts`.
 */
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, api } from "./api";
import { initialRunState, isOver, type RunState, reduceRun, resetRunState } from "./runState";
import type { Run } from "./runTypes";
import { BellSocket, type Change, type LinkState, RunSocket } from "./socket";

export type { Decision } from "./decisions";
export type { LogLine, RunState } from "./runState";
export { initialRunState, isOver, reduceRun, SYSTEM_BLOCK } from "./runState";
export type { LinkState } from "./socket";
export type { Tail } from "./tail";

export interface LiveRun {
  state: RunState | null;
  link: LinkState;
  error: Error | null;
  reload: () => void;
}

/** Follow a run: the stored state first, then its events as they come. `null` follows nothing. */
export function useRun(runId: string | null): LiveRun {
  const [state, setState] = useState<RunState | null>(null);
  const [link, setLink] = useState<LinkState>("connecting");
  const [error, setError] = useState<Error | null>(null);
  const [generation, setGeneration] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `generation` asks for a fresh start
  useEffect(() => {
    setState(null);
    setError(null);
    if (!runId) {
      return;
    }
    const abort = new AbortController();
    let socket: RunSocket | null = null;
    const follow = (run: Run) => {
      setState(initialRunState(run));
      socket = new RunSocket(run.id, run.head_seq, {
        onEvents: (events) => setState((before) => before && reduceRun(before, events)),
        onReset: (fresh, head) => setState((before) => before && resetRunState(before, fresh, head)),
        onLink: setLink,
      });
      socket.start();
    };
    api.get<Run>(`/runs/${runId}`, abort.signal).then(follow, (reason: unknown) => {
      if (!abort.signal.aborted) {
        setError(reason instanceof Error ? reason : new Error(String(reason)));
      }
    });
    return () => {
      abort.abort();
      socket?.stop();
    };
  }, [runId, generation]);

  const reload = useCallback(() => setGeneration((count) => count + 1), []);
  const finished = state !== null && isOver(state.run.status);
  return { state, link: finished ? "live" : link, error, reload };
}

/** Call `onChange` when objects of the project change. */
export function useBell(projectId: string | null | undefined, onChange: (change: Change) => void): void {
  const handler = useRef(onChange);
  handler.current = onChange;
  useEffect(() => {
    if (!projectId) {
      return;
    }
    const socket = new BellSocket(projectId, (change) => handler.current(change));
    socket.start();
    return () => socket.stop();
  }, [projectId]);
}

export interface Loaded<T> {
  data: T | null;
  error: ApiError | null;
  loading: boolean;
  reload: () => void;
  set: (change: T | ((before: T | null) => T | null)) => void;
}

/** Read one address of the API; `null` reads nothing. What was read stays while a reload is under way. */
export function useLoad<T>(path: string | null): Loaded<T> {
  const [data, setData] = useState<T | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [loading, setLoading] = useState(path !== null);
  const [generation, setGeneration] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `generation` asks for a fresh read
  useEffect(() => {
    if (path === null) {
      return;
    }
    const abort = new AbortController();
    setLoading(true);
    api.get<T>(path, abort.signal).then(
      (value) => {
        setData(value);
        setError(null);
        setLoading(false);
      },
      (reason: unknown) => {
        if (!abort.signal.aborted) {
          setError(reason instanceof ApiError ? reason : new ApiError(0, { kind: "bug", message: String(reason) }));
          setLoading(false);
        }
      },
    );
    return () => abort.abort();
  }, [path, generation]);

  const reload = useCallback(() => setGeneration((count) => count + 1), []);
  return { data, error, loading, reload, set: setData as Loaded<T>["set"] };
}
