import { describe, expect, it } from "vitest";
import { setTexts } from "../i18n";
import type { Decision } from "../lib/decisions";
import type { Json } from "../lib/types";
import { bestOf, frontLine, measuresOf, searchOfDecisions, searchOfFront } from "./candidates";
import { rowsOfCandidates, rowsOfReport, toneOf } from "./comparison";
import { areaOf, type ChartOptions, diameters, paretoFigure } from "./figure";
import { cellsOf, heightOf, sensitivityFigure } from "./heatMap";
import { changeText, measureText, reasonText, stepText } from "./words";

const point = (name: string, latency_ms: number, accuracy: number | null, more: Record<string, Json> = {}) => ({
  name,
  steps: [],
  size_bytes: 1e6 * latency_ms,
  latency_ms,
  accuracy,
  params: 1000,
  macs: 5000,
  status: "kept",
  reason: null,
  front: [],
  baseline: false,
  seconds: 1,
  runtime: "onnxruntime",
  ...more,
});

let seq = 0;
const said = (evidence: Record<string, Json>, block = "search", kind = "candidate"): Decision => {
  seq += 1;
  return { seq, t: 0, block, kind, step: seq, message: "", template: "m", values: {}, evidence };
};

const BASELINE = point("fp32", 10, 0.95, { baseline: true, digest: "sha256:b" });
const INT8 = point("int8", 3, 0.948, { digest: "sha256:i" });
const PRUNED = point("pruned int8", 2, 0.94, { digest: "sha256:p" });
const SLOW = point("pruned", 6, 0.941);
const BAD = point("tiny", 1, 0.7, {
  status: "refused",
  reason: "too far",
  reason_template: "loses {points} points",
  reason_values: { points: 25 },
  front: ["int8", "pruned int8"],
  max_drop: 0.01,
});
const ALL = [BASELINE, INT8, PRUNED, SLOW, BAD];

describe("a search read from its decisions", () => {
  it("knows every candidate of its block, the baseline first, and the newest front", () => {
    const search = searchOfDecisions([said(INT8), said(BASELINE), said(BAD), said(SLOW, "other")], "search");
    expect(search.candidates.map((one) => one.name)).toEqual(["fp32", "int8", "tiny"]);
    expect([...search.front]).toEqual(["int8"]);
  });

  it("takes what a resumed attempt says again once", () => {
    const search = searchOfDecisions([said(INT8), said({ ...INT8, latency_ms: 4 })], "search");
    expect(search.candidates).toHaveLength(1);
    expect(search.candidates[0]!.values.latency_ms).toBe(4);
  });

  it("leaves decisions of other kinds alone", () => {
    expect(searchOfDecisions([said({ name: "x" }, "search", "precision")], "search").candidates).toEqual([]);
  });

  it("keeps the reason of a refusal as a template that can be translated", () => {
    const [tiny] = searchOfDecisions([said(BAD)], "search").candidates;
    expect(tiny).toMatchObject({
      refused: true,
      reason: { template: "loses {points} points", values: { points: 25 } },
    });
  });

  it("survives evidence that is not what it should be", () => {
    const odd = said({ name: "odd", latency_ms: "fast", accuracy: null, steps: "none", front: "all", params: null });
    const [one] = searchOfDecisions([odd, said({ latency_ms: 3 })], "search").candidates;
    expect(one!.values).toEqual({
      latency_ms: null,
      size_bytes: null,
      accuracy: null,
      agreement: null,
      perplexity: null,
      params: null,
      macs: null,
    });
  });
});

describe("a search read from front.json", () => {
  it("finds the front in the last candidate, and the models by their digest", () => {
    const search = searchOfFront(ALL);
    expect([...search.front]).toEqual(["int8", "pruned int8"]);
    expect(search.candidates.find((one) => one.name === "int8")?.digest).toBe("sha256:i");
  });

  it("takes the kept models for the front where none is named", () => {
    expect([...searchOfFront([BASELINE, INT8, SLOW]).front]).toEqual(["fp32", "int8"]);
  });

  it("keeps a point on the front that loses more than allowed, but does not point to it first", () => {
    const tiny = { ...BAD, front: [], digest: "sha256:t" };
    const search = searchOfFront([BASELINE, INT8, tiny]);
    expect(search.front.has("tiny")).toBe(true);
    expect(bestOf(search, null)?.name).toBe("int8");
  });

  it("is empty for a file of another shape", () => {
    expect(searchOfFront({ points: 3 }).candidates).toEqual([]);
    expect(searchOfFront("text").candidates).toEqual([]);
  });
});

describe("the front", () => {
  const search = searchOfFront(ALL);

  it("is a line from left to right through the members that nothing on it beats", () => {
    expect(frontLine(search, "latency_ms", "accuracy").map((one) => one.name)).toEqual(["pruned int8", "int8"]);
    expect(frontLine(search, "latency_ms", "size_bytes").map((one) => one.name)).toEqual(["pruned int8"]);
  });

  it("keeps both of two members that measure the same", () => {
    const twin = searchOfFront([point("a", 2, 0.9, { digest: "1" }), point("b", 2, 0.9, { digest: "2" })]);
    expect(frontLine(twin, "latency_ms", "accuracy")).toHaveLength(2);
  });

  it("is first looked at where the search's own model is, and at its fastest member before that", () => {
    expect(bestOf(search, "sha256:i")?.name).toBe("int8");
    expect(bestOf(search, null)?.name).toBe("pruned int8");
    expect(bestOf(searchOfFront([BASELINE]), null)?.name).toBe("fp32");
  });
});

describe("the chart", () => {
  const options: ChartOptions = {
    search: searchOfFront(ALL),
    axes: { x: "latency_ms", y: "accuracy" },
    selected: "int8",
    colors: { front: "f", beaten: "b", refused: "r", baseline: "d", limit: "l", ring: "o" },
    texts: {
      front: "On the front",
      beaten: "Beaten",
      refused: "Refused",
      baseline: "Baseline",
      limit: "limit",
      axis: (measure) => measure,
      hover: (one) => (one.reason ? [one.reason.template] : []),
    },
  };
  const named = (name: string, figure = paretoFigure(options)) =>
    figure.data.find((trace) => trace.name === name && trace.mode === "markers") as Record<string, never> | undefined;

  it("draws the baseline, the front, the beaten and the refused apart", () => {
    expect(named("Baseline")?.customdata).toEqual(["fp32"]);
    expect(named("On the front")?.customdata).toEqual(["int8", "pruned int8"]);
    expect(named("Beaten")?.customdata).toEqual(["pruned"]);
    expect(named("Refused")?.customdata).toEqual(["tiny"]);
  });

  it("says why a point was refused", () => {
    expect(named("Refused")?.hovertext).toEqual(["<b>tiny</b><br>loses {points} points"]);
  });

  it("draws no tags that a name brings along", () => {
    const search = searchOfFront([point("<a href='x'>", 2, 0.9)]);
    const trace = named("Beaten", paretoFigure({ ...options, search }));
    expect(trace?.hovertext).toEqual(["<b>&lt;a href='x'></b>"]);
  });

  it("draws the front as steps that turn the way of what is better", () => {
    const line = paretoFigure(options).data[0] as { x: number[]; y: number[]; line: { shape: string } };
    expect(line.x).toEqual([2, 2, 3, 10]);
    expect(line.y).toEqual([0.7, 0.94, 0.948, 0.948]);
    expect(line.line.shape).toBe("hv");
    const turned = paretoFigure({ ...options, axes: { x: "accuracy", y: "latency_ms" } }).data[0] as typeof line;
    expect(turned.line.shape).toBe("vh");
    expect(turned.x).toEqual([0.7, 0.94, 0.948, 0.948]);
    expect(turned.y).toEqual([2, 2, 3, 10]);
  });

  it("draws the least accuracy as a line on the axis that shows it, and on no other", () => {
    const shapes = (axes: ChartOptions["axes"]) =>
      paretoFigure({ ...options, axes }).layout?.shapes as { y0: number; x0: number }[] | undefined;
    expect(shapes(options.axes)?.[0]?.y0).toBeCloseTo(0.94);
    expect(shapes({ x: "accuracy", y: "macs" })?.[0]?.x0).toBeCloseTo(0.94);
    expect(shapes({ x: "latency_ms", y: "size_bytes" })).toBeUndefined();
  });

  it("shows sizes in megabytes, and by area what no axis shows", () => {
    const line = paretoFigure({ ...options, axes: { x: "size_bytes", y: "accuracy" } }).data[0] as { x: number[] };
    expect(line.x).toEqual([2, 2, 3, 10]);
    expect(areaOf({ x: "latency_ms", y: "accuracy" })).toBe("size_bytes");
    expect(areaOf({ x: "size_bytes", y: "accuracy" })).toBe("latency_ms");
    expect(areaOf({ x: "size_bytes", y: "latency_ms" })).toBeNull();
    const [large, quarter] = diameters([100, 25], 100);
    expect(large! / quarter!).toBeCloseTo(2);
  });

  it("leaves out a point that lacks a measure of the axes", () => {
    const search = searchOfFront([BASELINE, point("unlabelled", 2, null)]);
    expect(named("Beaten", paretoFigure({ ...options, search }))).toBeUndefined();
    expect(measuresOf(search)).toEqual(["latency_ms", "size_bytes", "accuracy", "params", "macs"]);
  });
});

describe("before and after", () => {
  it("pairs what both candidates were measured by", () => {
    const [before, after] = searchOfFront(ALL).candidates;
    expect(rowsOfCandidates(before!, after!).map((row) => [row.measure, row.before, row.after])).toEqual([
      ["latency_ms", 10, 3],
      ["size_bytes", 10e6, 3e6],
      ["accuracy", 0.95, 0.948],
      ["params", 1000, 1000],
      ["macs", 5000, 5000],
    ]);
  });

  it("reads the report of a block under either name of a size", () => {
    expect(rowsOfReport({ size_before: 8, size_after: 2, before_ms: 4, eager_ms: 9 })).toEqual([
      { measure: "size_bytes", before: 8, after: 2 },
    ]);
    expect(rowsOfReport({ size_before: 8, size_after: 2, size_before_bytes: 80, size_after_bytes: 20 })).toEqual([
      { measure: "size_bytes", before: 80, after: 20 },
    ]);
    expect(rowsOfReport({ perplexity_before: 8, perplexity_after: 8.1 })).toHaveLength(1);
    expect(rowsOfReport({ accuracy: 0.9 })).toEqual([]);
  });

  it("says a change in the words of the trade", () => {
    expect(changeText({ measure: "latency_ms", before: 10, after: 4 })).toBe("2.5× faster");
    expect(changeText({ measure: "latency_ms", before: 4, after: 10 })).toBe("2.5× slower");
    expect(changeText({ measure: "size_bytes", before: 100, after: 18 })).toBe("−82%");
    expect(changeText({ measure: "params", before: 100, after: 120 })).toBe("+20%");
    expect(changeText({ measure: "accuracy", before: 0.95, after: 0.938 })).toBe("−1.2 points");
    expect(changeText({ measure: "accuracy", before: 0.9, after: 0.95 })).toBe("+5 points");
    expect(changeText({ measure: "macs", before: 0, after: 3 })).toBe("–");
    expect(measureText("accuracy", null)).toBe("–");
  });

  it("says the codes and steps of a search in words", () => {
    const words = (template: string) => ({ template, values: {} });
    expect(reasonText(words("slower"))).toBe("Slower on this machine");
    expect(reasonText({ template: "{n} bits", values: { n: 4 } })).toBe("4 bits");
    setTexts({ "prune {share}": "剪枝 {share}", "{count} layers in fp32": "{count} 层保持浮点" });
    expect(["prune 25%", "3 in fp32", "int8"].map((step) => stepText(words(step)))).toEqual([
      "剪枝 25%",
      "3 层保持浮点",
      "int8",
    ]);
    setTexts({});
  });

  it("knows which way is better", () => {
    expect(toneOf({ measure: "latency_ms", before: 10, after: 4 })).toBe("better");
    expect(toneOf({ measure: "accuracy", before: 0.9, after: 0.8 })).toBe("worse");
    expect(toneOf({ measure: "params", before: 9, after: 9 })).toBe("same");
  });
});

describe("the heat map of the layers", () => {
  const figure = {
    data: [
      { type: "heatmap", x: ["8 bits", "4 bits"], y: ["fc", "4 bits"], z: [[1, 2]], hovertemplate: "own" },
      { type: "scatter", name: "chosen", x: ["4 bits"], y: ["fc"], marker: { size: 9, color: "black" } },
    ],
    layout: { margin: { l: 160 }, height: 900 },
  };

  it("says the widths in the language of the page, and leaves the names of layers", () => {
    setTexts({ "{count} bits": "{count} 位" });
    const [heat, chosen] = sensitivityFigure(figure, "white").data;
    setTexts({});
    expect([heat!.x, heat!.y, heat!.hovertemplate]).toEqual([["8 位", "4 位"], ["fc", "4 bits"], "own"]);
    expect(chosen!.x).toEqual(["4 位"]);
  });

  it("marks what was chosen in a colour of the theme", () => {
    expect(sensitivityFigure(figure, "white").data[1]!.marker).toEqual({ size: 9, color: "white" });
    expect(figure.data[1]!.marker).toEqual({ size: 9, color: "black" });
  });

  it("has its numbers as rows, with gaps where nothing was measured", () => {
    expect(cellsOf(figure)).toEqual({
      columns: ["8 bits", "4 bits"],
      rows: [
        { layer: "fc", values: [1, 2] },
        { layer: "4 bits", values: [null, null] },
      ],
    });
    expect(cellsOf({ data: [] }).rows).toEqual([]);
  });

  it("has room for every layer, up to a height", () => {
    const layers = (count: number) => ({ data: [{ type: "heatmap", y: Array.from({ length: count }, String) }] });
    expect(heightOf(layers(2))).toBe(220);
    expect(heightOf(layers(20))).toBe(450);
    expect(heightOf(layers(200))).toBe(900);
    expect(heightOf(layers(200), true)).toBe(420);
  });
});
