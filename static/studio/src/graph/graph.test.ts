import { describe, expect, it } from "vitest";
import { extract, insertOperations, shiftTo } from "./clipboard";
import { compatiblePorts, connectionProblem, fittingPort } from "./connections";
import { ancestors, blocksOnCycle, descendants, parseDocument, runOrder } from "./document";
import { fixtureCatalog as catalog, fixtureDocument as start } from "./fixture";
import { emptyHistory, HISTORY_LIMIT, mergeKeyOf, remember, stepBack, stepForward } from "./history";
import { freshId, idFromText } from "./names";
import { applyAll } from "./operations";
import { fieldsOf, groupsOf, isChanged, matchesField, valueProblem } from "./params";
import { freePlace, panToShow } from "./place";
import { searchBlocks } from "./search";
import type { Operation, PipelineDocument, Problem } from "./types";
import { mergeProblems, validateLight } from "./validate";

const titleAndSummary = ({ title, summary }: { title: string; summary: string }) => ({ title, summary });

const loop: PipelineDocument = {
  ...start,
  wires: [...start.wires, ["train.model", "split.dataset"]],
};

describe("document", () => {
  it("walks up and down the wires", () => {
    expect(ancestors(start, "train")).toEqual(new Set(["split", "data", "model"]));
    expect(descendants(start, "data")).toEqual(new Set(["split", "train"]));
  });

  it("moves the view just as far as needed to show a block", () => {
    expect(panToShow(100, 200, 700)).toBe(0);
    expect(panToShow(600, 200, 700)).toBe(-124);
    expect(panToShow(-50, 200, 700)).toBe(74);
  });

  it("places blocks that come without a place by their depth, and leaves the others", () => {
    const bare = { ...start, layout: { positions: { model: [5, 6] } } };
    const parsed = parseDocument(bare);
    if (!parsed.ok) throw new Error(parsed.problem.template);
    const { data, split, train, model } = parsed.document.layout.positions;
    expect(model).toEqual([5, 6]);
    expect([data, split, train]).toEqual([
      [80, 120],
      [400, 120],
      [720, 120],
    ]);
  });

  it("orders blocks as a run visits them, and those on a loop last", () => {
    expect(runOrder(start)).toEqual(["data", "model", "split", "train"]);
    expect(runOrder(loop).slice(0, 2)).toEqual(["data", "model"]);
    expect(runOrder(loop)).toHaveLength(4);
  });

  it("names exactly the blocks on a loop", () => {
    expect(blocksOnCycle(start).size).toBe(0);
    expect(blocksOnCycle(loop)).toEqual(new Set(["split", "train"]));
  });

  it("reads what it wrote", () => {
    const parsed = parseDocument(JSON.stringify(start));
    expect(parsed).toEqual({ ok: true, document: start });
  });

  it.each([
    ["text that is not JSON", "hello"],
    ["a list", "[]"],
    ["a foreign format", '{"format": "other/1", "blocks": {}}'],
    ["a newer format", '{"format": "deepseek.pipeline/2", "blocks": {}}'],
    ["a malformed block", '{"format": "deepseek.pipeline/1", "blocks": {"a": 1}}'],
    ["malformed wires", '{"format": "deepseek.pipeline/1", "blocks": {}, "wires": [1]}'],
  ])("refuses %s and says why", (_name, text) => {
    const parsed = parseDocument(text);
    expect(parsed.ok).toBe(false);
    if (!parsed.ok) expect(parsed.problem.template).not.toBe("");
  });
});

describe("connections", () => {
  it("light up every port that fits and none that would close a loop", () => {
    expect(compatiblePorts(start, catalog, { address: "split.test", direction: "output" })).toEqual(
      new Set(["train.dataset", "train.validation"]),
    );
    expect(compatiblePorts(start, catalog, { address: "split.dataset", direction: "input" })).toEqual(
      new Set(["data.dataset"]),
    );
  });

  it("say why a wire does not fit", () => {
    expect(connectionProblem(start, catalog, "model.model", "split.dataset")?.values).toMatchObject({
      given: "model",
    });
    expect(connectionProblem(start, catalog, "data.dataset", "split.dataset")).toBeNull();
  });

  it("prefer a required input of a new block", () => {
    const train = catalog.blocks["train.classifier"];
    expect(train && fittingPort(start, catalog, train, { address: "split.test", direction: "output" })).toBe("dataset");
  });

  it("limit the search to what fits", () => {
    const port = { address: "model.model", direction: "output" } as const;
    const hits = searchBlocks(catalog, "", titleAndSummary, { document: start, port });
    expect(hits.map((hit) => hit.spec.id).sort()).toEqual(["evaluate.compare", "train.classifier"]);
    expect(searchBlocks(catalog, "conv", titleAndSummary)[0]?.spec.id).toBe("model.convnet");
    expect(searchBlocks(catalog, "nothing like this", titleAndSummary)).toEqual([]);
    const convnet = catalog.blocks["model.convnet"];
    const without = { ...catalog, blocks: { ...catalog.blocks, "model.convnet": { ...convnet, hidden: true } } };
    expect(searchBlocks(without as typeof catalog, "conv", titleAndSummary)).toEqual([]);
  });
});

describe("clipboard", () => {
  it("pastes beside what is there with fresh ids and inner wires", () => {
    const fragment = extract(start, new Set(["split", "train"]));
    const { operations, ids } = insertOperations(start, fragment, [16, 16]);
    const after = applyAll(start, operations, catalog);
    expect(ids).toEqual(["split_2", "train_2"]);
    expect(after.wires).toContainEqual(["split_2.train", "train_2.dataset"]);
    expect(after.blocks.train_2?.label).toBe("My training");
    expect(after.layout.positions.split_2).toEqual([316, 16]);
    expect(shiftTo(fragment, [0, 0])).toEqual([-300, 0]);
  });
});

describe("history", () => {
  const step = (value: number, time_ms: number) => {
    const redo: Operation[] = [{ op: "set_param", id: "train", name: "epochs", value }];
    const undo: Operation[] = [{ op: "set_param", id: "train", name: "epochs", value: value - 1 }];
    return { redo, undo, mergeKey: mergeKeyOf(redo), time_ms };
  };

  it("keeps a hundred steps", () => {
    let history = emptyHistory;
    for (let index = 0; index < 150; index += 1) history = remember(history, step(index, index * 5000));
    expect(history.past).toHaveLength(HISTORY_LIMIT);
  });

  it("joins a drag of one slider into one step that returns to where it began", () => {
    const history = remember(remember(emptyHistory, step(6, 0)), step(7, 200));
    expect(history.past).toHaveLength(1);
    expect(history.past[0]?.undo[0]).toMatchObject({ value: 5 });
    expect(history.past[0]?.redo[0]).toMatchObject({ value: 7 });
  });

  it("goes back and forth, and forgets the future on a new edit", () => {
    const history = remember(remember(emptyHistory, step(6, 0)), step(7, 5000));
    const back = stepBack(history);
    expect(back?.history.future).toHaveLength(1);
    expect(back && stepForward(back.history)?.history).toEqual(history);
    expect(back && remember(back.history, step(9, 9000)).future).toHaveLength(0);
  });
});

describe("names", () => {
  it("are short and never collide", () => {
    expect(freshId("data.split", [])).toBe("split");
    expect(freshId("train.classifier", [])).toBe("train");
    expect(freshId("train.classifier", ["train", "train_2"])).toBe("train_3");
    expect(idFromText("  My Block-7 ")).toBe("my_block_7");
    expect(idFromText("42")).toBeNull();
  });
});

describe("parameters", () => {
  const train = catalog.blocks["train.classifier"];
  const fields = train ? fieldsOf(train) : [];
  const field = (name: string) => fields.find((item) => item.name === name) as (typeof fields)[number];

  it("become fields", () => {
    expect(field("epochs")).toMatchObject({ kind: "integer", slider: true, unit: "epochs" });
    expect(field("optimizer")).toMatchObject({ kind: "choice", choices: ["sgd", "adamw"] });
    expect(field("patience")).toMatchObject({ kind: "integer", nullable: true, advanced: true, minimum: 1 });
  });

  it("are checked by type and range", () => {
    expect(valueProblem(field("epochs"), 0)?.values).toEqual({ bound: 1 });
    expect(valueProblem(field("epochs"), 2.5)).not.toBeNull();
    expect(valueProblem(field("epochs"), "5")).not.toBeNull();
    expect(valueProblem(field("patience"), null)).toBeNull();
    expect(valueProblem(field("optimizer"), "adam")).not.toBeNull();
  });

  it("count as changed only when they differ from the default", () => {
    expect(isChanged({ type: "train.classifier", params: { epochs: 5 } }, field("epochs"))).toBe(false);
    expect(isChanged({ type: "train.classifier", params: { epochs: 6 } }, field("epochs"))).toBe(true);
  });
});

describe("the sections of a form", () => {
  const spec = {
    params: {
      schema: {
        properties: {
          epochs: { type: "integer", title: "Epochs", description: "Times", default: 5 },
          note: { type: "string", advanced: true, default: "" },
          warm_up: { type: "number", title: "Warm-up", advanced: true, group: "Optimiser", default: 0 },
          device: { type: "string", title: "Device", advanced: true, group: "Precision and devices", default: "" },
          momentum: { type: "number", title: "Momentum", advanced: true, group: "Optimiser", default: 0.9 },
        },
      },
    },
  } as unknown as Parameters<typeof fieldsOf>[0];
  const fields = fieldsOf(spec);

  it("hold the advanced fields, those without a section last", () => {
    expect(groupsOf(fields).map((group) => [group.title, group.fields.map((one) => one.name)])).toEqual([
      ["Optimiser", ["warm_up", "momentum"]],
      ["Precision and devices", ["device"]],
      [null, ["note"]],
    ]);
  });

  it("are searched by title, help, section and translation", () => {
    const found = (query: string, words: Record<string, string> = {}) =>
      fields.filter((field) => matchesField(field, query, (text) => words[text] ?? text)).map((one) => one.name);
    expect(found("optim")).toEqual(["warm_up", "momentum"]);
    expect(found("warm opt")).toEqual(["warm_up"]);
    expect(found("TIMES")).toEqual(["epochs"]);
    expect(found("动量", { Momentum: "动量" })).toEqual(["momentum"]);
    expect(found("nothing like it")).toEqual([]);
  });
});

describe("problems", () => {
  const at = (problems: readonly Problem[]) => problems.map((item) => `${item.block}.${item.field}`);

  it("name block and field", () => {
    expect(validateLight(start, catalog)).toEqual([]);
    const broken = applyAll(
      start,
      [
        { op: "set_param", id: "train", name: "epochs", value: 0 },
        { op: "disconnect", from: "model.model", to: "train.model" },
      ],
      catalog,
    );
    expect(at(validateLight(broken, catalog)).sort()).toEqual(["train.epochs", "train.model"]);
    expect(at(validateLight(loop, catalog)).sort()).toContain("split.null");
  });

  it("come from the server alone once it has answered", () => {
    const server: Problem[] = [
      { block: "data", field: null, severity: "hint", template: "x", values: {} },
      { block: "train", field: "epochs", severity: "error", template: "y", values: {} },
    ];
    expect(mergeProblems(start, [], server, []).map((item) => item.severity)).toEqual(["error", "hint"]);
    const waiting: Operation[] = [{ op: "set_param", id: "train", name: "epochs", value: 3 }];
    expect(at(mergeProblems(start, [], server, waiting))).toEqual(["data.null"]);
  });
});

describe("free places", () => {
  it("lie below what is in the way", () => {
    expect(freePlace(start, [310, 10])[1]).toBeGreaterThan(200);
    expect(freePlace(start, [2000, 2000])).toEqual([2000, 2000]);
  });
});
