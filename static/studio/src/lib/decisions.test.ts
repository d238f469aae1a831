import { describe, expect, test } from "vitest";
import {
  clusterDecisions,
  type Decision,
  directionOf,
  evidenceRows,
  lanesOf,
  MAX_DECISIONS,
  mergeDecisions,
  rungAfter,
  rungSpans,
} from "./decisions";

let seq = 0;

function decision(step: number, values: Decision["values"], more: Partial<Decision> = {}): Decision {
  seq += 1;
  const body = { block: "train", kind: "precision", message: "", template: "{from} to {to}", evidence: {}, t: 0 };
  return { ...body, seq, step, values, ...more };
}

describe("mergeDecisions", () => {
  test("a resumed attempt that decides the same again replaces it", () => {
    const first = [decision(0, { to: "bf16" }), decision(120, { from: "bf16", to: "fp32" })];
    const again = decision(120, { from: "bf16", to: "fp32" });
    const merged = mergeDecisions(first, [again]);
    expect(merged.map((one) => one.step)).toEqual([0, 120]);
    expect(merged[1]).toBe(again);
  });

  test("what was read twice, from the log and from the socket, stands once", () => {
    const one = decision(5, { to: "bf16" });
    expect(mergeDecisions([one], [one])).toHaveLength(1);
  });

  test("thousands are cut to the newest", () => {
    const many = Array.from({ length: MAX_DECISIONS + 10 }, (_, step) => decision(step, {}, { kind: "batch" }));
    const kept = mergeDecisions([], many);
    expect(kept).toHaveLength(MAX_DECISIONS);
    expect(kept[0]!.step).toBe(10);
  });
});

describe("rungSpans", () => {
  test("a switch ends one span and begins the next", () => {
    const spans = rungSpans([decision(0, { to: "bf16" }), decision(120, { from: "bf16", to: "fp32" })]);
    expect(spans).toEqual([
      { rung: "bf16", from: 0, to: 120 },
      { rung: "fp32", from: 120, to: null },
    ]);
    expect(lanesOf(spans)).toEqual(["fp32", "bf16"]);
  });

  test("the rung before the first switch is known from the switch", () => {
    expect(rungSpans([decision(40, { from: "fp16", to: "fp32" })])[0]).toEqual({ rung: "fp16", from: 0, to: 40 });
  });

  test("rungs may stand in the evidence", () => {
    const up = decision(40, { high: "fp32" }, { evidence: { from: "bf16", to: "fp32", steps: 50 } });
    expect(rungSpans([up]).map((span) => span.rung)).toEqual(["bf16", "fp32"]);
    expect(directionOf(up)).toBe("safer");
  });

  test("a probe begins the track, other kinds leave it alone", () => {
    const probe = decision(0, {}, { kind: "probe", evidence: { choice: { precision: "bf16", compile: false } } });
    const batch = decision(9, { from: 64, to: 32 }, { kind: "batch" });
    expect(rungAfter(probe)).toBe("bf16");
    expect(rungAfter(batch)).toBeNull();
    expect(rungSpans([probe, batch])).toEqual([{ rung: "bf16", from: 0, to: null }]);
  });

  test("a rung that held for no step is left out", () => {
    const spans = rungSpans([decision(0, { to: "fp16" }), decision(0, { from: "fp16", to: "bf16" })]);
    expect(spans).toEqual([{ rung: "bf16", from: 0, to: null }]);
  });
});

test("the direction of a switch is told by its rungs", () => {
  expect(directionOf(decision(1, { from: "bf16", to: "fp32" }))).toBe("safer");
  expect(directionOf(decision(1, { from: "fp32", to: "bf16" }))).toBe("faster");
  expect(directionOf(decision(1, { to: "fp32" }))).toBeNull();
});

test("evidence becomes rows, nested values with a dotted name", () => {
  expect(evidenceRows({ gradient_norm: 3, timings: { fp32: 0.2, bf16: 0.1 }, layers: ["a"] })).toEqual([
    ["gradient_norm", 3],
    ["timings.fp32", 0.2],
    ["timings.bf16", 0.1],
    ["layers", ["a"]],
  ]);
});

test("markers closer than the gap become one, those out of sight none", () => {
  const all = [0, 1, 50, 400].map((step) => decision(step, {}));
  const clusters = clusterDecisions(all, (step) => step, 300, 14);
  expect(clusters.map((one) => [one.x, one.decisions.length])).toEqual([
    [0, 2],
    [50, 1],
  ]);
});
