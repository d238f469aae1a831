import { describe, expect, it } from "vitest";
import { fixtureCatalog, fixtureDocument } from "./fixture";
import { suggestedValues, suggestionOperation, targetsOf } from "./suggestions";
import type { BlockSpec, Catalog, PipelineDocument } from "./types";

const finder = { ...fixtureCatalog.blocks["train.classifier"], id: "train.finder" } as BlockSpec;
const catalog: Catalog = {
  ...fixtureCatalog,
  blocks: {
    ...fixtureCatalog.blocks,
    "train.finder": { ...finder, params: { schema: { properties: {} } } },
    "train.classifier": {
      ...finder,
      id: "train.classifier",
      params: { schema: { properties: { learning_rate: { type: "number", default: 0.003 } } } },
    },
  },
};
const document: PipelineDocument = {
  ...fixtureDocument,
  blocks: {
    ...fixtureDocument.blocks,
    finder: { type: "train.finder", params: {} },
    other: { type: "train.classifier", params: {} },
  },
  wires: [...fixtureDocument.wires, ["model.model", "finder.model"], ["split.train", "finder.dataset"]],
};

describe("suggestions", () => {
  it("are the metrics whose name says so", () => {
    expect(suggestedValues({ suggested_learning_rate: 0.00312345, loss: 1, suggested_x: Number.NaN })).toEqual([
      ["learning_rate", 0.00312],
    ]);
  });

  it("are for blocks that share the model or the data, not for others", () => {
    expect(targetsOf(document, catalog, "finder", "learning_rate")).toEqual(["train"]);
    expect(targetsOf(document, catalog, "finder", "batch_size")).toEqual([]);
  });

  it("are for blocks that follow", () => {
    const wires = [...document.wires, ["finder.model", "other.model"] as const];
    expect(targetsOf({ ...document, wires }, catalog, "finder", "learning_rate")).toEqual(["train", "other"]);
  });

  it("become an operation", () => {
    expect(suggestionOperation("train", "learning_rate", 0.01)).toEqual({
      op: "set_param",
      id: "train",
      name: "learning_rate",
      value: 0.01,
    });
  });
});
