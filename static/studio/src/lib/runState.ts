/**
 * What a page knows about a run, as a pure function of the events it has seen.
 *
 * `reduceRun` is called by the live hook for every batch; the run page, the builder and the tests read
 * the result. It knows nothing of sockets, React or the server's addresses.
 */
import { msg } from "../i18n";
import { type Decision, decisionOf, MAX_DECISIONS, rungAfter } from "./decisions";
import type { BlockRun, Run, RunEvent } from "./runTypes";
import { appendPoints, decodePoints, EMPTY_TAIL, type Tail } from "./tail";
import type { Json } from "./types";

export interface LogLine {
  seq: number;
  t: number;
  block: string | null;
  level: string;
  message: string;
  template?: string;
  values?: Record<string, Json>;
}

export interface RunState {
  run: Run;
  /** The last event that this state contains. */
  seq: number;
  log: readonly LogLine[];
  tails: Readonly<Record<string, Tail>>;
  /** Decisions that came since the page opened. */
  decisions: readonly Decision[];
  cancelRequested: boolean;
}

export const MAX_LOG = 20_000;
/** What the worker measures of a run has the form of metrics of this block, which no document can hold. */
export const SYSTEM_BLOCK = "@system";

export function initialRunState(run: Run): RunState {
  return { run, seq: run.head_seq, log: [], tails: {}, decisions: [], cancelRequested: false };
}

/** After a reset: the server's state replaces ours; what was read of the log stays. */
export function resetRunState(state: RunState, run: Run, head: number): RunState {
  return { ...initialRunState(run), seq: head, log: state.log, decisions: state.decisions };
}

function withBlock(state: RunState, block: string, change: Partial<BlockRun>): RunState {
  const before: BlockRun = state.run.blocks[block] ?? { state: "waiting" };
  const blocks = { ...state.run.blocks, [block]: { ...before, ...change } };
  return { ...state, run: { ...state.run, blocks } };
}

function withRun(state: RunState, change: Partial<Run>): RunState {
  return { ...state, run: { ...state.run, ...change } };
}

function withMetrics(state: RunState, block: string, metrics: Record<string, number> | undefined): RunState {
  const found = Object.entries(metrics ?? {}).map(([name, value]) => [`${block}.${name}`, value] as const);
  return found.length === 0
    ? state
    : withRun(state, { metrics: { ...state.run.metrics, ...Object.fromEntries(found) } });
}

/** Events that are a line of the log, as the server chooses them: what blocks wrote, failures, attempts. */
export function logLine(event: RunEvent): LogLine | null {
  const at = { seq: event.seq, t: event.t ?? Number.NaN };
  const line = (block: string | null, level: string, template: string, values: Record<string, Json> = {}): LogLine => ({
    ...at,
    block,
    level,
    message: template,
    template,
    values,
  });
  switch (event.type) {
    case "log":
      return { ...event };
    case "block_failed":
      return line(event.block, "error", event.error.template ?? event.error.message, event.error.values);
    case "attempt_started":
      return line(null, "info", msg("Attempt {attempt} on {device}"), { attempt: event.attempt, device: event.device });
    case "attempt_lost":
      return line(null, "warning", msg("Attempt {attempt} was lost; the run goes on by itself"), {
        attempt: event.attempt,
      });
    case "run_cancel_requested":
      return line(null, "info", msg("Cancelling was asked for"));
    default:
      return null;
  }
}

function applyBlockEvent(state: RunState, event: RunEvent): RunState | null {
  switch (event.type) {
    case "block_started":
      return withBlock(state, event.block, { state: "running", reason: event.reason, error: null, progress: null });
    case "block_cached":
      return withMetrics(
        withBlock(state, event.block, {
          state: "cached",
          reason: event.reason,
          outputs: event.outputs,
          metrics: event.metrics,
          progress: null,
          made_by: event.made_by ?? null,
        }),
        event.block,
        event.metrics,
      );
    case "block_done":
      return withMetrics(
        withBlock(state, event.block, {
          state: "done",
          duration_s: event.duration_s,
          outputs: event.outputs,
          metrics: event.metrics,
          progress: null,
        }),
        event.block,
        event.metrics,
      );
    case "block_failed":
      return withBlock(state, event.block, { state: "failed", error: event.error, progress: null });
    case "block_skipped":
      return withBlock(state, event.block, { state: "skipped", because: event.because });
    case "progress":
      return withBlock(state, event.block, {
        progress: { done: event.done, total: event.total, unit: event.unit, eta_s: event.eta_s },
      });
    case "decision": {
      const rung = rungAfter(event);
      return rung === null ? state : withBlock(state, event.block, { rung });
    }
    default:
      return null;
  }
}

function applyRunEvent(state: RunState, event: RunEvent): RunState {
  switch (event.type) {
    case "run_started":
      return withRun(state, { status: "running", plan: event.plan });
    case "attempt_started":
      return withRun(state, {
        status: "running",
        attempt: event.attempt,
        device: event.device,
        started: state.run.started ?? new Date((event.t ?? Date.now() / 1000) * 1000).toISOString(),
      });
    case "attempt_lost":
      return withRun(state, { attempt: event.attempt, blocks: interruptRunning(state.run.blocks) });
    case "run_cancel_requested":
      return { ...state, cancelRequested: true };
    case "run_done":
      return withRun(state, {
        status: event.status,
        error: event.error ?? null,
        duration_s: event.duration_s,
        blocks: event.status === "succeeded" ? state.run.blocks : interruptRunning(state.run.blocks),
      });
    default:
      return state;
  }
}

function interruptRunning(blocks: Record<string, BlockRun>): Record<string, BlockRun> {
  return Object.fromEntries(
    Object.entries(blocks).map(([id, block]) => [
      id,
      block.state === "running" ? { ...block, state: "waiting" as const, progress: null } : block,
    ]),
  );
}

/**
 * The state after a batch of events in ascending `seq`.
 *
 * Events at or before `state.seq` are left out, so that a replay after a reconnect changes nothing.
 */
export function reduceRun(state: RunState, events: readonly RunEvent[]): RunState {
  let next = state;
  const log: LogLine[] = [];
  const decisions: Decision[] = [];
  const tails: Record<string, Tail> = {};
  for (const event of events) {
    if (event.seq <= next.seq) {
      continue;
    }
    if (event.type === "metrics") {
      const address = `${event.block}.${event.name}`;
      tails[address] = appendPoints(tails[address] ?? next.tails[address] ?? EMPTY_TAIL, decodePoints(event));
    } else if (event.type !== "log") {
      next = applyBlockEvent(next, event) ?? applyRunEvent(next, event);
    }
    const decided = decisionOf(event);
    if (decided) {
      decisions.push(decided);
    }
    const written = logLine(event);
    if (written) {
      log.push(written);
    }
    next = { ...next, seq: event.seq };
  }
  if (Object.keys(tails).length > 0) {
    const latest = Object.fromEntries(
      Object.entries(tails).flatMap(([address, tail]) =>
        address.startsWith(SYSTEM_BLOCK) ? [] : [[address, tail.last] as const],
      ),
    );
    next = { ...withRun(next, { metrics: { ...next.run.metrics, ...latest } }), tails: { ...next.tails, ...tails } };
  }
  if (log.length > 0) {
    next = { ...next, log: [...next.log, ...log].slice(-MAX_LOG) };
  }
  if (decisions.length > 0) {
    next = { ...next, decisions: [...next.decisions, ...decisions].slice(-MAX_DECISIONS) };
  }
  return next;
}

export function isOver(status: Run["status"]): boolean {
  return status === "succeeded" || status === "failed" || status === "cancelled";
}
