import { expect, test } from "vitest";
import type { Decision } from "../../lib/decisions";
import { precisionRows } from "./precisionRows";

const decision = (step: number, values: Decision["values"], block = "train", kind = "precision"): Decision => ({
  seq: step + 1,
  t: 0,
  block,
  kind,
  step,
  message: "",
  template: "m",
  values,
  evidence: {},
});

test("a run that switched has a row with the spans and what each switch was", () => {
  const switched = [decision(0, { to: "bf16" }), decision(60, { from: "bf16", to: "fp32" })];
  const steady = [decision(0, { to: "bf16" })];
  const rows = precisionRows(["a", "b", "c"], { a: switched, b: steady }, { a: { train: 100 }, b: { train: 80 } });
  expect(rows.map((row) => [row.run, row.end, row.switches.map((one) => [one.step, one.from, one.to])])).toEqual([
    ["a", 100, [[60, "bf16", "fp32"]]],
    ["b", 80, []],
  ]);
  expect(rows[0]!.switches[0]!.decision).toBe(switched[1]);
});

test("two trainings of a run have a row each, and a block that decided other things has none", () => {
  const all = [
    decision(0, { to: "bf16" }, "first"),
    decision(3, { to: "fp32" }, "second"),
    decision(5, { name: "int8" }, "search", "candidate"),
  ];
  const rows = precisionRows(["a"], { a: all }, {});
  expect(rows.map((row) => [row.block, row.end])).toEqual([
    ["first", 0],
    ["second", 3],
  ]);
});
