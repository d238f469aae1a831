/**
 * Undo and redo: a hundred steps of operations and the operations that take them back.
 *
 * Holds data only; whoever calls applies the operations. Edits of the same field within a second (a slider being
 * dragged, a text being typed, arrow keys) count as one step.
 */
import type { Operation } from "./types";

export interface Step {
  readonly redo: readonly Operation[];
  readonly undo: readonly Operation[];
  /** Steps with the same key that follow closely become one. */
  readonly mergeKey: string | null;
  readonly time_ms: number;
}

export interface History {
  readonly past: readonly Step[];
  readonly future: readonly Step[];
}

export const HISTORY_LIMIT = 100;
const MERGE_WITHIN_MS = 1000;

export const emptyHistory: History = { past: [], future: [] };

export function remember(history: History, step: Step): History {
  const last = history.past.at(-1);
  const merges =
    last !== undefined &&
    step.mergeKey !== null &&
    last.mergeKey === step.mergeKey &&
    history.future.length === 0 &&
    step.time_ms - last.time_ms <= MERGE_WITHIN_MS;
  const past = merges
    ? [...history.past.slice(0, -1), { ...step, undo: last.undo, redo: step.redo }]
    : [...history.past, step].slice(-HISTORY_LIMIT);
  return { past, future: [] };
}

/** Take the last step off; null when there is nothing to undo. */
export function stepBack(history: History): { step: Step; history: History } | null {
  const step = history.past.at(-1);
  if (!step) return null;
  return {
    step,
    history: { past: history.past.slice(0, -1), future: [step, ...history.future] },
  };
}

export function stepForward(history: History): { step: Step; history: History } | null {
  const [step, ...future] = history.future;
  if (!step) return null;
  return { step, history: { past: [...history.past, step].slice(-HISTORY_LIMIT), future } };
}

/** Two operations with the same key change the same thing, and the later one alone says the result. */
export function mergeKeyOf(operations: readonly Operation[]): string | null {
  const [only] = operations;
  if (!only || operations.length !== 1) return null;
  switch (only.op) {
    case "set_param":
      return `param ${only.id} ${only.name}`;
    case "rename":
      return `label ${only.id}`;
    case "set_note":
      return `note ${only.id}`;
    case "set_seed":
    case "set_name":
      return only.op;
    case "move":
      return `move ${Object.keys(only.positions).sort().join(" ")}`;
    default:
      return null;
  }
}
