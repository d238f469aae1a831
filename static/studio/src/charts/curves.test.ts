import { describe, expect, it } from "vitest";
import { appendPoints, EMPTY_TAIL } from "../lib/tail";
import {
  bandLine,
  decimate,
  joinTail,
  rangeWithoutOutliers,
  type Series,
  smooth,
  splice,
  stepsPerEpoch,
  translate,
  xValues,
} from "./curves";

function series(values: number[], firstStep = 0): Series {
  const last = Float64Array.from(values);
  return {
    total: values.length,
    shown: values.length,
    steps: Float64Array.from(values, (_, index) => firstStep + index),
    t: Float64Array.from(values, (_, index) => 1000 + index),
    last,
    min: last,
    max: last,
  };
}

describe("decimate", () => {
  it("keeps the last value, the minimum and the maximum of each bucket", () => {
    const out = decimate(series([5, 1, 3, 9, 2, 4]), 2);
    expect([...out.last]).toEqual([3, 4]);
    expect([...out.min]).toEqual([1, 2]);
    expect([...out.max]).toEqual([5, 9]);
    expect(out.total).toBe(6);
    expect(out.shown).toBe(2);
  });

  it("never loses the extremes of a long series", () => {
    const values = Array.from({ length: 10_000 }, (_, index) => Math.sin(index / 50));
    values[4321] = 99;
    expect(Math.max(...decimate(series(values), 100).max)).toBe(99);
  });
});

describe("joinTail", () => {
  it("adds only the points after the history's last step", () => {
    const tail = appendPoints(EMPTY_TAIL, {
      steps: Float64Array.from([2, 3, 4]),
      t: Float64Array.from([1002, 1003, 1004]),
      values: Float64Array.from([7, 8, 9]),
    });
    const out = joinTail(series([1, 2, 3]), tail);
    expect([...out.steps]).toEqual([0, 1, 2, 3, 4]);
    expect([...out.last]).toEqual([1, 2, 3, 8, 9]);
    expect(out.total).toBe(5);
  });
});

it("splice puts the finer points of a zoomed range between the coarse ones", () => {
  const coarse = { ...series([0, 10, 20, 30]), steps: Float64Array.from([0, 10, 20, 30]) };
  const fine = { ...series([9, 10, 11]), steps: Float64Array.from([9, 10, 11]) };
  expect([...splice(coarse, fine).steps]).toEqual([0, 9, 10, 11, 20, 30]);
  expect(splice(coarse, fine).total).toBe(3);
});

describe("smooth", () => {
  it("leaves a constant curve as it is", () => {
    const x = Float64Array.from([0, 1, 2, 3]);
    expect([...smooth(x, Float64Array.from([2, 2, 2, 2]), 0.9)]).toEqual([2, 2, 2, 2]);
  });

  it("gives about the same curve for all points and for every tenth", () => {
    const all = Float64Array.from({ length: 2001 }, (_, index) => index);
    const few = all.filter((value) => value % 10 === 0);
    const wave = (value: number) => Math.sin(value / 100);
    const dense = smooth(all, all.map(wave), 0.98);
    const sparse = smooth(few, few.map(wave), 0.98);
    expect(Math.abs(dense[1500]! - sparse[150]!)).toBeLessThan(0.06);
  });

  it("passes over values that are not numbers", () => {
    const out = smooth(Float64Array.from([0, 1, 2]), Float64Array.from([1, Number.NaN, 1]), 0.5);
    expect(out[2]).toBe(1);
    expect(out[1]).toBeNaN();
  });
});

describe("xValues", () => {
  const context = { start: 1000, stepsPerEpoch: 2 };

  it("counts epochs so that the end of the first epoch is 1", () => {
    expect([...xValues(series([1, 2, 3, 4], 1), { ...context, axis: "epoch" })]).toEqual([0.5, 1, 1.5, 2]);
  });

  it("counts relative time from the start of the run", () => {
    expect([...xValues(series([1, 2]), { ...context, axis: "relative" })]).toEqual([0, 1]);
  });
});

it("a band line visits both ends of every bucket", () => {
  const one = { ...series([2, 2]), min: Float64Array.from([1, 1]), max: Float64Array.from([3, 4]) };
  expect([...bandLine(one.steps, one).y]).toEqual([1, 3, 4, 1]);
});

it("the range without outliers leaves out a single spike", () => {
  const values = Float64Array.from({ length: 500 }, (_, index) => index / 500);
  values[7] = 1e9;
  expect(rangeWithoutOutliers([values], false)![1]).toBeLessThan(2);
});

it("translate interpolates between two clocks and clamps at the ends", () => {
  expect(translate([0, 10], [100, 200], 5)).toBe(150);
  expect(translate([0, 10], [100, 200], 50)).toBe(200);
  expect(translate([], [], 5)).toBeNull();
});

it("steps per epoch come from a metric written once an epoch", () => {
  const perEpoch = { ...series([0.1, 0.2]), steps: Float64Array.from([23, 46]) };
  expect(stepsPerEpoch(perEpoch)).toBe(23);
});
