/**
 * Saving as a pure state machine: what the server has, what waits, and what both make together.
 *
 * `builder/store` drives it with the network; nothing here waits or stores. The rule that no edit is lost: an edit
 * stays in `pending` until the server names its `op_id`, and edits the server made meanwhile are put under it.
 */
import { applyAll, OperationError } from "./operations";
import type { Catalog, Message, Operation, PipelineDocument } from "./types";

export interface Batch {
  readonly opId: string;
  readonly ops: readonly Operation[];
  /** It may have reached the server: its id and content must not change any more. */
  readonly sent?: boolean;
}

/** An import or a restore in the server's log: a whole document in the place of the one before. */
export interface Replacement {
  readonly op: "replace";
  readonly document: PipelineDocument;
}

/** A batch as the server reports it: somebody's, or our own whose answer was lost. */
export interface Missed {
  readonly version: number;
  readonly opId: string;
  readonly ops: readonly (Operation | Replacement)[];
}

export interface SyncState {
  /** The server's document at `version`. */
  readonly base: PipelineDocument;
  readonly version: number;
  readonly pending: readonly Batch[];
  /** `base` with everything pending on top: what the person sees. */
  readonly document: PipelineDocument;
  /** Edits that no longer fit what the server has, with the reason. */
  readonly refused: readonly Refused[];
}

export interface Refused {
  readonly batch: Batch;
  readonly reason: Message;
}

export function startSync(
  base: PipelineDocument,
  version: number,
  pending: readonly Batch[],
  catalog: Catalog,
): SyncState {
  return replay({ base, version, pending, document: base, refused: [] }, catalog);
}

/** Add an edit. Throws `OperationError` when it cannot be made, changing nothing. */
export function addBatch(state: SyncState, batch: Batch, catalog: Catalog): SyncState {
  const document = applyAll(state.document, batch.ops, catalog);
  return { ...state, document, pending: [...state.pending, batch] };
}

/** The server took our oldest batch and is at `version` now. */
export function acknowledge(state: SyncState, opId: string, version: number, catalog: Catalog): SyncState {
  const batch = state.pending.find((waiting) => waiting.opId === opId);
  if (!batch) return { ...state, version: Math.max(state.version, version) };
  const pending = state.pending.filter((waiting) => waiting !== batch);
  // An edit of an earlier visit whose answer was lost: the base that was read has it already.
  if (version <= state.version) return replay({ ...state, pending }, catalog);
  const base = applyAll(state.base, batch.ops, catalog);
  return { ...state, base, version, pending };
}

/** The server has batches we had not seen: put them below ours, and ours on top again. */
export function rebase(state: SyncState, missed: readonly Missed[], version: number, catalog: Catalog): SyncState {
  const unseen = missed.filter((batch) => batch.version > state.version);
  const base = unseen.reduce((document, batch) => applyMissed(document, batch, catalog), state.base);
  const stored = new Set(missed.map((batch) => batch.opId));
  const pending = state.pending.filter((batch) => !stored.has(batch.opId));
  return replay({ ...state, base, version: Math.max(version, state.version), pending }, catalog);
}

function applyMissed(document: PipelineDocument, batch: Missed, catalog: Catalog): PipelineDocument {
  return batch.ops.reduce(
    (current, operation) => (operation.op === "replace" ? operation.document : applyAll(current, [operation], catalog)),
    document,
  );
}

/** Whether a list of missed batches leads from `version` to `target` without a hole. */
export function isComplete(missed: readonly Missed[], version: number, target: number): boolean {
  let at = version;
  for (const batch of missed) {
    if (batch.version <= at) continue;
    const replaces = batch.ops[0]?.op === "replace";
    if (batch.version !== at + 1 && !replaces) return false;
    at = batch.version;
  }
  return at === target;
}

/** The server's whole document, after an import, a restore, or a gap that cannot be filled. */
export function resetBase(state: SyncState, base: PipelineDocument, version: number, catalog: Catalog): SyncState {
  return replay({ ...state, base, version }, catalog);
}

/** The server refused a batch for good. */
export function refuse(state: SyncState, opId: string, reason: Message, catalog: Catalog): SyncState {
  const batch = state.pending.find((waiting) => waiting.opId === opId);
  if (!batch) return state;
  const pending = state.pending.filter((waiting) => waiting !== batch);
  const refused = [...state.refused, { batch, reason }];
  return replay({ ...state, pending, refused }, catalog);
}

function replay(state: SyncState, catalog: Catalog): SyncState {
  let document = state.base;
  const pending: Batch[] = [];
  const refused: Refused[] = [...state.refused];
  for (const batch of state.pending) {
    try {
      document = applyAll(document, batch.ops, catalog);
      pending.push(batch);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      refused.push({ batch, reason: error.problem });
    }
  }
  return { ...state, document, pending, refused };
}

/**
 * Make the oldest batch ready to be sent. What has not been sent yet travels together, and of a dragged slider only
 * the last value; a batch that was sent once is repeated as it was.
 */
export function prepareSend(state: SyncState): SyncState {
  const [first] = state.pending;
  if (!first || first.sent) return state;
  const ops = compact(state.pending.flatMap((batch) => batch.ops));
  return { ...state, pending: [{ opId: first.opId, ops, sent: true }] };
}

/** Drop an operation that the next one overwrites. */
export function compact(operations: readonly Operation[]): Operation[] {
  const result: Operation[] = [];
  for (const operation of operations) {
    const last = result.at(-1);
    if (last && overwrites(operation, last)) result[result.length - 1] = operation;
    else result.push(operation);
  }
  return result;
}

function overwrites(next: Operation, last: Operation): boolean {
  if (next.op === "set_param" && last.op === "set_param") return next.id === last.id && next.name === last.name;
  if (next.op === "move" && last.op === "move") return Object.keys(last.positions).every((id) => id in next.positions);
  if (next.op === "set_note" && last.op === "set_note") return next.id === last.id;
  if (next.op === "rename" && last.op === "rename") return next.id === last.id;
  return (next.op === "set_name" && last.op === "set_name") || (next.op === "set_seed" && last.op === "set_seed");
}
