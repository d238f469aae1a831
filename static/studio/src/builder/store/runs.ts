/**
 * Starting and cancelling runs, and asking what a run would do.
 */

import type { PlannedBlock } from "../../graph/runview";
import { message } from "../../graph/types";
import { hasErrors } from "../../graph/validate";
import { ApiError, api, idempotencyKey } from "../../lib/api";
import type { Run } from "../../lib/runTypes";
import type { Saver } from "./saver";
import { type BuilderStore, notify, type RunView } from "./state";

export interface RunRequest {
  /** Compute only these blocks and what they need. */
  readonly targets?: readonly string[];
  /** Compute this block and what follows again, cached or not. */
  readonly rerun_from?: string;
}

export const isActive = (run: RunView | null): boolean =>
  run !== null && (run.status === "queued" || run.status === "running");

/** Save, then start a run of what was saved. Errors in the problems panel block it. */
export async function startRun(store: BuilderStore, saver: Saver, request: RunRequest = {}): Promise<void> {
  if (hasErrors(store.getState().problems)) {
    store.setState({ panel: "problems" });
    notify(store, message("Fix the errors first: the panel on the right lists them."), "error");
    return;
  }
  if (!(await saver.flush())) {
    notify(
      store,
      message("The pipeline is not saved yet, because the server cannot be reached. Try again in a moment."),
      "error",
    );
    return;
  }
  if (hasErrors(store.getState().problems)) {
    store.setState({ panel: "problems" });
    return;
  }
  try {
    const run = await api.post<Run>(`/pipelines/${store.getState().pipelineId}/runs`, request, idempotencyKey());
    store.setState({ run: viewOfRun(run) });
  } catch (error) {
    notify(store, message(textOf(error)), "error");
  }
}

export async function cancelRun(store: BuilderStore): Promise<void> {
  const { run } = store.getState();
  if (!run) return;
  store.setState({ run: { ...run, cancelRequested: true } });
  try {
    await api.post(`/runs/${run.id}/cancel`);
  } catch (error) {
    store.setState({ run: { ...run, cancelRequested: false } });
    notify(store, message(textOf(error)), "error");
  }
}

/** What each block would do now, and why; shown as badges. Failing silently is right: badges are an extra. */
export async function askPlan(store: BuilderStore): Promise<void> {
  const { pipelineId, sync } = store.getState();
  const asked = sync.version;
  try {
    const answer = await api.post<{ blocks: Record<string, PlannedBlock> }>(`/pipelines/${pipelineId}/plan`);
    if (store.getState().sync.version === asked) store.setState({ plan: answer.blocks });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    store.setState({ plan: {} });
  }
}

export function viewOfRun(run: Run, more: Partial<RunView> = {}): RunView {
  return {
    id: run.id,
    number: run.number,
    status: run.status,
    error: run.error?.message ?? null,
    blocks: run.blocks,
    metrics: run.metrics,
    head: run.head_seq,
    decisions: [],
    tails: {},
    curves: {},
    queuePosition: run.queue_position ?? null,
    cancelRequested: false,
    ...more,
  };
}

export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
