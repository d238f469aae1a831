/**
 * Every change a person makes goes through here: apply it, remember how to take it back, hand it to the saver.
 */
import { mergeKeyOf, remember, type Step, stepBack, stepForward } from "../../graph/history";
import { invertAll } from "../../graph/inverse";
import { OperationError } from "../../graph/operations";
import { addBatch } from "../../graph/sync";
import { type Message, message, type Operation } from "../../graph/types";
import { type BuilderStore, documentOf, notify, withSync } from "./state";

export function newOpId(): string {
  return globalThis.crypto?.randomUUID?.() ?? `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
}

/** Make an edit. Returns whether it was made; a refusal is shown, and nothing changes. */
export function edit(store: BuilderStore, operations: readonly Operation[]): boolean {
  const state = store.getState();
  if (operations.length === 0) return false;
  if (!state.canEdit) {
    notify(store, message("You may look at this pipeline, but not change it."), "error");
    return false;
  }
  try {
    const undo = invertAll(documentOf(state), operations, state.catalog);
    applyBatch(store, operations);
    const step: Step = { redo: operations, undo, mergeKey: mergeKeyOf(operations), time_ms: Date.now() };
    store.setState({ history: remember(state.history, step) });
    return true;
  } catch (error) {
    return showRefusal(store, error);
  }
}

export function undo(store: BuilderStore): void {
  replayStep(store, stepBack(store.getState().history), "undo");
}

export function redo(store: BuilderStore): void {
  replayStep(store, stepForward(store.getState().history), "redo");
}

function replayStep(store: BuilderStore, found: ReturnType<typeof stepBack>, direction: "undo" | "redo"): void {
  if (!found || !store.getState().canEdit) return;
  store.setState({ history: found.history });
  try {
    applyBatch(store, found.step[direction]);
    dropLostSelection(store);
  } catch (error) {
    showRefusal(store, error);
  }
}

function applyBatch(store: BuilderStore, operations: readonly Operation[]): void {
  const state = store.getState();
  const sync = addBatch(state.sync, { opId: newOpId(), ops: operations }, state.catalog);
  store.setState({ ...withSync(state, sync), save: state.save === "offline" ? "offline" : "saving" });
}

function showRefusal(store: BuilderStore, error: unknown): false {
  if (!(error instanceof OperationError)) throw error;
  notify(store, error.problem, "error");
  return false;
}

/** Forget selected blocks, notes and wires that are gone. */
export function dropLostSelection(store: BuilderStore): void {
  const state = store.getState();
  const { blocks, wires, layout } = documentOf(state);
  const wireKeys = new Set(wires.map((wire) => `${wire[0]}>${wire[1]}`));
  const noteIds = new Set(layout.notes.map((note) => note.id));
  const keep = (all: ReadonlySet<string>, exists: (id: string) => boolean) => new Set([...all].filter(exists));
  const { selection } = state;
  store.setState({
    selection: {
      blocks: keep(selection.blocks, (id) => id in blocks),
      notes: keep(selection.notes, (id) => noteIds.has(id)),
      wires: keep(selection.wires, (id) => wireKeys.has(id)),
    },
  });
}

/** Say that an edit could not be kept, and why. */
export function reportRefused(store: BuilderStore, before: number): void {
  const { refused } = store.getState().sync;
  const latest: Message | undefined = refused.length > before ? refused.at(-1)?.reason : undefined;
  if (latest) notify(store, latest, "error");
}
