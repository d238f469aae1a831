import { describe, expect, it } from "vitest";
import { encodeFloat64 } from "./binary";
import { initialRunState, reduceRun, resetRunState } from "./runState";
import type { Run, RunEvent } from "./runTypes";
import { pointsAfter } from "./tail";

const run: Run = {
  id: "r1",
  name: "Digits",
  number: 1,
  status: "queued",
  project: "p1",
  pipeline: "l1",
  created: "2026-01-01T00:00:00Z",
  started: null,
  finished: null,
  duration_s: null,
  user: null,
  tags: [],
  notes: "",
  metrics: {},
  document: {
    format: "deepseek.pipeline/1",
    name: "Digits",
    seed: 0,
    blocks: {},
    wires: [],
    layout: { positions: {}, notes: [], frames: [] },
  },
  plan: null,
  blocks: { train: { state: "waiting" }, data: { state: "waiting" } },
  head_seq: 0,
  attempt: null,
  error: null,
};

const metrics = (seq: number, first_step: number, values: number[]): RunEvent => ({
  seq,
  type: "metrics",
  block: "train",
  name: "loss",
  first_step,
  stride: 1,
  count: values.length,
  t0: 100,
  t1: 100 + values.length - 1,
  values: encodeFloat64(values),
});

const events: RunEvent[] = [
  { seq: 1, type: "attempt_started", attempt: 1, worker: "w", device: "cpu", t: 99 },
  { seq: 2, type: "run_started", plan: { device: "cpu" }, blocks: ["data", "train"], resumed: false },
  { seq: 3, type: "block_cached", block: "data", reason: null, outputs: {}, metrics: { count: 1797 } },
  { seq: 4, type: "block_started", block: "train", reason: null },
  { seq: 5, type: "progress", block: "train", done: 1, total: 5, unit: "epochs", eta_s: 4 },
  metrics(6, 0, [2, 1.5, 1]),
  { seq: 7, type: "log", block: "train", level: "info", message: "Epoch 1", t: 103 },
];

describe("reduceRun", () => {
  it("turns events into the states of blocks, metrics and log lines", () => {
    const state = reduceRun(initialRunState(run), events);
    expect(state.run.status).toBe("running");
    expect(state.run.blocks.data?.state).toBe("cached");
    expect(state.run.blocks.train?.progress?.total).toBe(5);
    expect(state.run.metrics).toEqual({ "data.count": 1797, "train.loss": 1 });
    expect(state.log.map((line) => line.message)).toEqual(["Attempt {attempt} on {device}", "Epoch 1"]);
    expect(state.seq).toBe(7);
  });

  it("gives the same state whether events come in one batch, in many or twice", () => {
    const once = reduceRun(initialRunState(run), events);
    const many = events.reduce((state, event) => reduceRun(state, [event]), initialRunState(run));
    const twice = reduceRun(once, events);
    expect(many).toEqual(once);
    expect(twice).toEqual(once);
  });

  it("does not change the state it was given", () => {
    const before = initialRunState(run);
    const copy = structuredClone(before);
    reduceRun(before, events);
    expect(before).toEqual(copy);
  });

  it("leaves out points that a resumed attempt repeats", () => {
    const state = reduceRun(initialRunState(run), [
      ...events,
      { seq: 8, type: "attempt_lost", attempt: 1, reason: "worker gone" },
      metrics(9, 1, [1.5, 1, 0.5]),
    ]);
    const points = pointsAfter(state.tails["train.loss"], -1);
    expect([...points.steps]).toEqual([0, 1, 2, 3]);
    expect([...points.values]).toEqual([2, 1.5, 1, 0.5]);
    expect(state.run.blocks.train?.state).toBe("waiting");
  });

  it("spreads the times of a batch between its first and its last", () => {
    const state = reduceRun(initialRunState(run), events);
    expect([...pointsAfter(state.tails["train.loss"], 0).t]).toEqual([101, 102]);
  });

  it("ends the run with the error of the block that failed", () => {
    const error = { kind: "user" as const, message: "Too big" };
    const state = reduceRun(initialRunState(run), [
      ...events,
      { seq: 8, type: "block_failed", block: "train", error },
      { seq: 9, type: "run_done", status: "failed", error, duration_s: 3 },
    ]);
    expect(state.run.status).toBe("failed");
    expect(state.run.blocks.train?.error?.message).toBe("Too big");
    expect(state.run.error?.message).toBe("Too big");
  });
});

describe("decisions and measurements of the worker", () => {
  const decision = (seq: number, values: Record<string, string>): RunEvent => ({
    seq,
    type: "decision",
    block: "train",
    kind: "precision",
    step: 40,
    message: "m",
    template: "m",
    values,
    evidence: { gradient_norm: 9 },
    t: 1,
  });

  it("a switch of precision is kept and shows on its block", () => {
    const before = initialRunState(run);
    const state = reduceRun(before, [decision(before.seq + 1, { from: "bf16", to: "fp32" })]);
    expect(state.decisions.map((one) => one.evidence)).toEqual([{ gradient_norm: 9 }]);
    expect(state.run.blocks.train?.rung).toBe("fp32");
  });

  it("a reset keeps the decisions that were read", () => {
    const before = initialRunState(run);
    const state = reduceRun(before, [decision(before.seq + 1, { to: "bf16" })]);
    expect(resetRunState(state, run, 99).decisions).toHaveLength(1);
  });

  it("curves of the worker are live but no metrics of the run", () => {
    const before = initialRunState(run);
    const values = btoa(String.fromCharCode(...new Uint8Array(new Float64Array([50]).buffer)));
    const points = { first_step: 5, stride: 1, count: 1, t0: 1, t1: 1, values };
    const state = reduceRun(before, [
      { seq: before.seq + 1, type: "metrics", block: "@system", name: "cpu_percent", ...points },
    ]);
    expect(state.tails["@system.cpu_percent"]?.last).toBe(50);
    expect(state.run.metrics).toEqual(before.run.metrics);
  });
});
