import { describe, expect, it } from "vitest";
import type { PipelineDocument } from "../../lib/types";
import { configRows, graphDiff } from "./documentDiff";
import { depths, geometry } from "./graphGeometry";

const layout = { positions: {}, notes: [], frames: [] };
const before: PipelineDocument = {
  format: "deepseek.pipeline/1",
  name: "A",
  seed: 0,
  blocks: {
    data: { type: "data.digits", params: {} },
    train: { type: "train.classifier", params: { epochs: 5, lr: 0.1 } },
    old: { type: "evaluate.classifier", params: {} },
  },
  wires: [
    ["data.dataset", "train.dataset"],
    ["train.model", "old.model"],
  ],
  layout,
};
const after: PipelineDocument = {
  ...before,
  blocks: {
    data: before.blocks.data!,
    train: { type: "train.classifier", params: { epochs: 9, lr: 0.1 } },
    fresh: { type: "predict.images", params: {} },
  },
  wires: [
    ["data.dataset", "train.dataset"],
    ["train.model", "fresh.model"],
  ],
};

describe("graphDiff", () => {
  const diff = graphDiff(before, after);

  it("names added, removed, changed and unchanged blocks", () => {
    const changes = Object.fromEntries(Object.entries(diff.blocks).map(([id, block]) => [id, block.change]));
    expect(changes).toEqual({ data: "same", train: "changed", old: "removed", fresh: "added" });
  });

  it("lists only the parameters that differ", () => {
    expect(diff.blocks.train?.params).toEqual([{ name: "epochs", before: 5, after: 9 }]);
  });

  it("keeps removed blocks and wires in the merged graph", () => {
    expect(Object.keys(diff.merged.blocks).sort()).toEqual(["data", "fresh", "old", "train"]);
    expect(diff.wires["train.model>old.model"]).toBe("removed");
    expect(diff.wires["train.model>fresh.model"]).toBe("added");
  });
});

it("configuration rows say which values differ", () => {
  const rows = configRows([
    { "train.lr": 0.1, seed: 0 },
    { "train.lr": 0.2, seed: 0 },
  ]);
  expect(rows.map((row) => [row.address, row.differs])).toEqual([
    ["seed", false],
    ["train.lr", true],
  ]);
});

describe("geometry", () => {
  it("puts a block to the right of everything that it depends on", () => {
    expect(depths(before)).toEqual({ data: 0, train: 1, old: 2 });
  });

  it("does not hang on a cycle", () => {
    const cyclic = { ...before, wires: [...before.wires, ["old.x", "data.y"] as [string, string]] };
    expect(geometry(cyclic).boxes).toHaveLength(3);
  });
});
