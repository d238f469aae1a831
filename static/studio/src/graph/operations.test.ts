import { describe, expect, it } from "vitest";
import { fixtureCatalog as catalog, fixtureDocument as start } from "./fixture";
import { invertAll } from "./inverse";
import { apply, applyAll, OperationError } from "./operations";
import type { Operation, PipelineDocument } from "./types";

const threeModels = applyAll(
  start,
  [
    { op: "add_block", id: "m1", type: "model.convnet", params: {}, position: [0, 400] },
    { op: "add_block", id: "m2", type: "model.convnet", params: { width: 8 }, position: [0, 500] },
    { op: "add_block", id: "compare", type: "evaluate.compare", params: {}, position: [300, 400] },
    { op: "connect", from: "m1.model", to: "compare.models" },
    { op: "connect", from: "m2.model", to: "compare.models" },
    { op: "connect", from: "model.model", to: "compare.models" },
    { op: "bypass", id: "m2", value: true },
  ],
  catalog,
);

/** What a document means: wires into different inputs have no order among each other, nor have keys. */
function meaning(document: PipelineDocument) {
  const wires: Record<string, string[]> = {};
  for (const [from, to] of document.wires) wires[to] = [...(wires[to] ?? []), from];
  return { ...document, wires };
}

const edits: Record<string, Operation[]> = {
  "adding a block": [{ op: "add_block", id: "new", type: "data.digits", params: {}, position: [1, 2], label: "X" }],
  "removing a wired block": [{ op: "remove_block", id: "split" }],
  "removing the first of a list": [{ op: "remove_block", id: "m1" }],
  "removing a bypassed block with parameters": [{ op: "remove_block", id: "m2" }],
  "removing a labelled block": [{ op: "remove_block", id: "train" }],
  "setting a parameter": [{ op: "set_param", id: "train", name: "epochs", value: 9 }],
  "setting a parameter that had its default": [{ op: "set_param", id: "split", name: "test_share", value: 0.5 }],
  "resetting a parameter": [{ op: "reset_param", id: "train", name: "epochs" }],
  "replacing a wire": [{ op: "connect", from: "m1.model", to: "train.model" }],
  "connecting what is connected": [{ op: "connect", from: "m1.model", to: "compare.models" }],
  "disconnecting the middle of a list": [{ op: "disconnect", from: "m2.model", to: "compare.models" }],
  renaming: [{ op: "rename", id: "train", label: "Other" }],
  "taking the label away": [{ op: "rename", id: "train", label: null }],
  "renaming an id": [{ op: "rename_id", id: "m1", new_id: "first" }],
  bypassing: [{ op: "bypass", id: "m2", value: false }],
  moving: [{ op: "move", positions: { data: [5, 5], m1: [6, 6] } }],
  "seed and name": [
    { op: "set_seed", seed: 7 },
    { op: "set_name", name: "Other" },
  ],
  "changing and removing a note": [
    { op: "set_note", id: "note", text: "B", position: [1, 1], size: [9, 9] },
    { op: "remove_note", id: "note" },
    { op: "set_note", id: "second", text: "C", position: [2, 2] },
  ],
  "many at once": [
    { op: "remove_block", id: "m1" },
    { op: "rename_id", id: "m2", new_id: "m1" },
    { op: "connect", from: "m1.model", to: "train.model" },
    { op: "remove_block", id: "model" },
  ],
};

describe("undo", () => {
  it.each(Object.keys(edits))("takes back %s", (name) => {
    const operations = edits[name] as Operation[];
    const after = applyAll(threeModels, operations, catalog);
    const undone = applyAll(after, invertAll(threeModels, operations, catalog), catalog);
    expect(meaning(undone)).toEqual(meaning(threeModels));
  });
});

describe("operations", () => {
  it("never change the document they are given", () => {
    const before = JSON.stringify(threeModels);
    for (const operations of Object.values(edits)) applyAll(threeModels, operations, catalog);
    expect(JSON.stringify(threeModels)).toBe(before);
  });

  it("keep untouched blocks identical, so that their cards need not redraw", () => {
    const after = apply(start, { op: "set_param", id: "train", name: "epochs", value: 6 }, catalog);
    expect(after.blocks.data).toBe(start.blocks.data);
    expect(after.wires).toBe(start.wires);
  });

  it("replace the wire of an input that takes one", () => {
    const after = apply(threeModels, { op: "connect", from: "m1.model", to: "train.model" }, catalog);
    expect(after.wires.filter(([, to]) => to === "train.model")).toEqual([["m1.model", "train.model"]]);
  });

  it("collect wires of an input that takes many, in order", () => {
    expect(threeModels.wires.filter(([, to]) => to === "compare.models").map(([from]) => from)).toEqual([
      "m1.model",
      "m2.model",
      "model.model",
    ]);
  });

  it.each<[string, Operation]>([
    ["an id that is taken", { op: "add_block", id: "data", type: "data.digits", params: {}, position: [0, 0] }],
    ["an unknown type", { op: "add_block", id: "x", type: "no.such", params: {}, position: [0, 0] }],
    ["a malformed id", { op: "add_block", id: "X y", type: "data.digits", params: {}, position: [0, 0] }],
    ["a block that is gone", { op: "set_param", id: "gone", name: "a", value: 1 }],
    ["a rename onto a taken id", { op: "rename_id", id: "data", new_id: "split" }],
    ["kinds that do not fit", { op: "connect", from: "model.model", to: "train.dataset" }],
    ["a loop", { op: "connect", from: "train.model", to: "train.model" }],
  ])("refuse %s", (_name, operation) => {
    expect(() => apply(start, operation, catalog)).toThrow(OperationError);
  });

  it("carry wires and position along when an id changes", () => {
    const after = apply(start, { op: "rename_id", id: "split", new_id: "parts" }, catalog);
    expect(after.wires).toContainEqual(["data.dataset", "parts.dataset"]);
    expect(after.layout.positions.parts).toEqual([300, 0]);
    expect(Object.keys(after.blocks)).toEqual(["data", "parts", "model", "train"]);
  });
});
