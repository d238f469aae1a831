/** A small catalog and pipeline for tests: ports of several kinds, a list input, every kind of parameter. */
import { emptyDocument } from "./document";
import type { BlockSpec, Catalog, InputPort, ParamSchema, PipelineDocument } from "./types";

const input = (name: string, kind: string, more: Partial<InputPort> = {}): InputPort => ({
  name,
  kinds: [kind],
  optional: false,
  many: false,
  ...more,
});

function spec(
  id: string,
  title: string,
  inputs: readonly InputPort[],
  outputs: readonly (readonly [name: string, kind: string])[],
  properties: Readonly<Record<string, ParamSchema>> = {},
): BlockSpec {
  return {
    id,
    title,
    summary: `${title}.`,
    doc: "",
    category: id.split(".")[0] as string,
    version: 1,
    needs: "cpu",
    required: false,
    permission: null,
    params: { schema: { properties } },
    inputs,
    outputs: outputs.map(([name, kind]) => ({ name, kind, measured: false })),
    examples: [],
  };
}

const blocks = [
  spec("data.digits", "Digits", [], [["dataset", "images"]]),
  spec("data.table", "Table", [], [["dataset", "table"]], {
    file: { type: "string", default: "", title: "File", description: "The file.", widget: "artifact" },
  }),
  spec(
    "data.split",
    "Split",
    [input("dataset", "dataset")],
    [
      ["train", "dataset"],
      ["test", "dataset"],
    ],
    {
      test_share: {
        type: "number",
        default: 0.2,
        title: "Test share",
        description: "Share kept for the test.",
        minimum: 0,
        maximum: 0.9,
      },
    },
  ),
  spec("model.convnet", "ConvNet", [], [["model", "model"]], {
    width: { type: "integer", default: 32, exclusiveMinimum: 0, title: "Width", description: "Channels." },
  }),
  spec(
    "train.classifier",
    "Train classifier",
    [input("model", "model"), input("dataset", "dataset"), input("validation", "dataset", { optional: true })],
    [
      ["model", "model"],
      ["report", "metrics"],
    ],
    {
      epochs: {
        type: "integer",
        default: 5,
        minimum: 1,
        maximum: 1000,
        title: "Epochs",
        description: "Passes over the data.",
        unit: "epochs",
      },
      optimizer: {
        type: "string",
        enum: ["sgd", "adamw"],
        default: "adamw",
        title: "Optimizer",
        description: "How weights are updated.",
      },
      patience: {
        anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }],
        default: null,
        title: "Patience",
        description: "Early stopping.",
        advanced: true,
      },
    },
  ),
  spec("evaluate.compare", "Compare", [input("models", "model", { many: true })], [["chart", "figure"]]),
];

export const fixtureCatalog: Catalog = {
  format: "deepseek.catalog/1",
  digest: "fixture",
  blocks: Object.fromEntries(blocks.map((block) => [block.id, block])),
  kinds: {
    images: ["images", "dataset", "artifact"],
    table: ["table", "dataset", "artifact"],
    dataset: ["dataset", "artifact"],
    model: ["model", "artifact"],
    metrics: ["metrics", "artifact"],
    figure: ["figure", "artifact"],
  },
  categories: [
    { id: "data", title: "Data" },
    { id: "model", title: "Model" },
    { id: "train", title: "Training" },
    { id: "evaluate", title: "Evaluation" },
  ],
};

export const fixtureDocument: PipelineDocument = {
  ...emptyDocument("Digits"),
  blocks: {
    data: { type: "data.digits", params: {} },
    split: { type: "data.split", params: {} },
    model: { type: "model.convnet", params: {} },
    train: { type: "train.classifier", params: { epochs: 5 }, label: "My training" },
  },
  wires: [
    ["data.dataset", "split.dataset"],
    ["split.train", "train.dataset"],
    ["model.model", "train.model"],
  ],
  layout: {
    positions: { data: [0, 0], split: [300, 0], model: [300, 200], train: [600, 0] },
    notes: [{ id: "note", text: "Hello", position: [0, 300] }],
    frames: [],
  },
};
