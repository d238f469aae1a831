import { describe, expect, it } from "vitest";
import { fixtureCatalog as catalog, fixtureDocument as start } from "./fixture";
import { acknowledge, addBatch, isComplete, prepareSend, rebase, refuse, startSync } from "./sync";
import type { Operation } from "./types";

const setEpochs = (value: number): Operation => ({ op: "set_param", id: "train", name: "epochs", value });
const remove = (id: string): Operation => ({ op: "remove_block", id });
const fresh = () => startSync(start, 3, [], catalog);

describe("saving", () => {
  it("shows an edit at once and keeps it until the server names it", () => {
    const edited = addBatch(fresh(), { opId: "a", ops: [setEpochs(9)] }, catalog);
    expect(edited.document.blocks.train?.params.epochs).toBe(9);
    expect(edited.base.blocks.train?.params.epochs).toBe(5);
    const saved = acknowledge(edited, "a", 4, catalog);
    expect(saved.pending).toEqual([]);
    expect(saved.version).toBe(4);
    expect(saved.base.blocks.train?.params.epochs).toBe(9);
  });

  it("puts another tab's edit under ours and loses neither", () => {
    const edited = addBatch(fresh(), { opId: "a", ops: [setEpochs(9)] }, catalog);
    const other = { version: 4, opId: "x", ops: [{ op: "set_seed", seed: 7 } as Operation] };
    const both = rebase(edited, [other], 4, catalog);
    expect(both.document.seed).toBe(7);
    expect(both.document.blocks.train?.params.epochs).toBe(9);
    expect(both.pending.map((batch) => batch.opId)).toEqual(["a"]);
    expect(both.version).toBe(4);
  });

  it("recognises its own edit when only the answer was lost", () => {
    const edited = addBatch(fresh(), { opId: "a", ops: [setEpochs(9)] }, catalog);
    const own = rebase(edited, [{ version: 4, opId: "a", ops: [setEpochs(9)] }], 4, catalog);
    expect(own.pending).toEqual([]);
    expect(own.document.blocks.train?.params.epochs).toBe(9);
  });

  it("does not apply a batch twice that it has already", () => {
    const state = rebase(fresh(), [{ version: 3, opId: "old", ops: [remove("train")] }], 3, catalog);
    expect(state.document.blocks.train).toBeDefined();
  });

  it("reports an edit whose block another tab removed, and keeps the rest", () => {
    let state = addBatch(fresh(), { opId: "a", ops: [setEpochs(9)] }, catalog);
    state = addBatch(state, { opId: "b", ops: [{ op: "set_seed", seed: 4 }] }, catalog);
    const after = rebase(state, [{ version: 4, opId: "x", ops: [remove("train")] }], 4, catalog);
    expect(after.refused.map((item) => item.batch.opId)).toEqual(["a"]);
    expect(after.document.seed).toBe(4);
  });

  it("takes a batch that the server refuses out of the document", () => {
    const edited = addBatch(fresh(), { opId: "a", ops: [setEpochs(9)] }, catalog);
    const after = refuse(edited, "a", { template: "No", values: {} }, catalog);
    expect(after.document.blocks.train?.params.epochs).toBe(5);
    expect(after.refused).toHaveLength(1);
  });

  it("takes over a document that an import or a restore put in the place of ours", () => {
    const edited = addBatch(fresh(), { opId: "a", ops: [setEpochs(9)] }, catalog);
    const other = { ...start, seed: 42 };
    const missed = [{ version: 9, opId: "", ops: [{ op: "replace" as const, document: other }] }];
    expect(isComplete(missed, 3, 9)).toBe(true);
    const after = rebase(edited, missed, 9, catalog);
    expect(after.document.seed).toBe(42);
    expect(after.document.blocks.train?.params.epochs).toBe(9);
  });

  it("sees a hole in the list of missed edits", () => {
    const batch = (version: number) => ({ version, opId: String(version), ops: [setEpochs(version)] });
    expect(isComplete([batch(4), batch(5)], 3, 5)).toBe(true);
    expect(isComplete([batch(4), batch(6)], 3, 6)).toBe(false);
    expect(isComplete([batch(4)], 3, 5)).toBe(false);
  });

  it("drops an edit of an earlier visit that the base contains already", () => {
    const add: Operation = { op: "add_block", id: "new", type: "data.digits", params: {}, position: [0, 0] };
    const state = addBatch(fresh(), { opId: "a", ops: [add] }, catalog);
    const after = acknowledge({ ...state, version: 8 }, "a", 4, catalog);
    expect(after.version).toBe(8);
    expect(after.pending).toEqual([]);
  });

  it("sends waiting edits together, and the last value of a dragged slider only", () => {
    let state = fresh();
    for (const [index, opId] of ["a", "b", "c"].entries())
      state = addBatch(state, { opId, ops: [setEpochs(6 + index)] }, catalog);
    expect(prepareSend(state).pending).toEqual([{ opId: "a", ops: [setEpochs(8)], sent: true }]);
  });

  it("repeats a batch that was sent exactly as it was", () => {
    const sent = prepareSend(addBatch(fresh(), { opId: "a", ops: [setEpochs(6)] }, catalog));
    const more = addBatch(sent, { opId: "b", ops: [setEpochs(7)] }, catalog);
    expect(prepareSend(more)).toBe(more);
    expect(more.pending[0]?.ops).toEqual([setEpochs(6)]);
  });
});
