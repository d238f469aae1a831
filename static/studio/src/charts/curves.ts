/**
 * From the points of a metric to the curves on a chart: axes, smoothing, bands, outliers, joining.
 *
 * Pure functions on plain arrays; `LineChart` draws what they return. Nothing here knows plotly.js.
 */
import { decodeFloat64, upperBound } from "../lib/binary";
import type { SeriesJson } from "../lib/runTypes";
import { pointsAfter, type Tail } from "../lib/tail";

export type XAxis = "step" | "epoch" | "wall" | "relative";

/** Points of one metric of one run, ascending in step; decimated when `shown < total`. */
export interface Series {
  total: number;
  shown: number;
  steps: Float64Array;
  t: Float64Array;
  last: Float64Array;
  min: Float64Array;
  max: Float64Array;
}

export function decodeSeries(json: SeriesJson): Series {
  return {
    total: json.total,
    shown: json.shown,
    steps: decodeFloat64(json.steps),
    t: decodeFloat64(json.t),
    last: decodeFloat64(json.last),
    min: decodeFloat64(json.min),
    max: decodeFloat64(json.max),
  };
}

const EMPTY = new Float64Array(0);
export const EMPTY_SERIES: Series = {
  total: 0,
  shown: 0,
  steps: EMPTY,
  t: EMPTY,
  last: EMPTY,
  min: EMPTY,
  max: EMPTY,
};

/** At most `points` buckets, each with its last value, its minimum and its maximum. */
export function decimate(series: Series, points: number): Series {
  const count = series.steps.length;
  if (count <= points) {
    return series;
  }
  const out = {
    steps: new Float64Array(points),
    t: new Float64Array(points),
    last: new Float64Array(points),
    min: new Float64Array(points),
    max: new Float64Array(points),
  };
  for (let bucket = 0; bucket < points; bucket += 1) {
    const from = Math.floor((bucket * count) / points);
    const to = Math.floor(((bucket + 1) * count) / points);
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let index = from; index < to; index += 1) {
      low = Math.min(low, series.min[index]!);
      high = Math.max(high, series.max[index]!);
    }
    out.steps[bucket] = series.steps[to - 1]!;
    out.t[bucket] = series.t[to - 1]!;
    out.last[bucket] = series.last[to - 1]!;
    out.min[bucket] = low;
    out.max[bucket] = high;
  }
  return { ...out, total: series.total, shown: points };
}

function concat(first: Float64Array, second: Float64Array): Float64Array {
  const out = new Float64Array(first.length + second.length);
  out.set(first);
  out.set(second, first.length);
  return out;
}

const MAX_TAIL_POINTS = 600;

/** The server's history followed by the points that came over the socket since. */
export function joinTail(base: Series | undefined, tail: Tail | undefined): Series {
  const history = base ?? EMPTY_SERIES;
  const lastStep = history.steps.length > 0 ? history.steps[history.steps.length - 1]! : -1;
  const fresh = pointsAfter(tail, lastStep);
  const added = fresh.values.length;
  if (added === 0) {
    return history;
  }
  const raw: Series = {
    total: added,
    shown: added,
    steps: fresh.steps,
    t: fresh.t,
    last: fresh.values,
    min: fresh.values,
    max: fresh.values,
  };
  const end = decimate(raw, MAX_TAIL_POINTS);
  return {
    total: history.total + added,
    shown: history.shown + end.shown,
    steps: concat(history.steps, end.steps),
    t: concat(history.t, end.t),
    last: concat(history.last, end.last),
    min: concat(history.min, end.min),
    max: concat(history.max, end.max),
  };
}

/** The coarse points outside of what `fine` covers, and `fine` inside; counts are those of the fine part. */
export function splice(coarse: Series, fine: Series | undefined): Series {
  if (!fine || fine.steps.length === 0) {
    return coarse;
  }
  const before = upperBound(coarse.steps, fine.steps[0]! - 1e-9);
  const after = upperBound(coarse.steps, fine.steps[fine.steps.length - 1]!);
  const join = (outer: Float64Array, inner: Float64Array) =>
    concat(concat(outer.subarray(0, before) as Float64Array, inner), outer.subarray(after) as Float64Array);
  return {
    total: fine.total,
    shown: fine.shown,
    steps: join(coarse.steps, fine.steps),
    t: join(coarse.t, fine.t),
    last: join(coarse.last, fine.last),
    min: join(coarse.min, fine.min),
    max: join(coarse.max, fine.max),
  };
}

export interface AxisContext {
  axis: XAxis;
  /** Unix seconds at which the run began; the zero of the relative axis. */
  start: number;
  stepsPerEpoch: number | null;
}

/** Where the points lie on the chosen axis: step, epoch, seconds since the start, or local time in ms. */
export function xValues(series: Series, { axis, start, stepsPerEpoch }: AxisContext): Float64Array {
  if (axis === "wall") {
    const shift = new Date(start * 1000).getTimezoneOffset() * 60_000;
    return series.t.map((t) => t * 1000 - shift);
  }
  if (axis === "relative") {
    return series.t.map((t) => t - start);
  }
  if (axis === "epoch" && stepsPerEpoch) {
    return series.steps.map((step) => step / stepsPerEpoch);
  }
  return series.steps;
}

const SMOOTHING_SPAN = 1000;

/**
 * Time-weighted exponential moving average, without the bias of its start.
 *
 * A point's weight falls with the distance on the x axis, not with the number of points between, so a
 * curve looks the same whether the server sent every point or one in a hundred. Weight in [0, 1).
 */
export function smooth(x: Float64Array, y: Float64Array, weight: number): Float64Array {
  const out = new Float64Array(y.length);
  const base = Math.min(Math.sqrt(weight), 0.999);
  const range = x.length > 1 ? x[x.length - 1]! - x[0]! : 1;
  let sum = 0;
  let norm = 0;
  let before = Number.NaN;
  for (let index = 0; index < y.length; index += 1) {
    const value = y[index]!;
    if (!Number.isFinite(value)) {
      out[index] = value;
      continue;
    }
    const gap = Number.isNaN(before) ? 0 : ((x[index]! - before) / (range || 1)) * SMOOTHING_SPAN;
    const keep = base ** gap;
    sum = sum * keep + value;
    norm = norm * keep + 1;
    before = x[index]!;
    out[index] = sum / norm;
  }
  return out;
}

/** A line that touches minimum and maximum of every bucket: the look of all points at the cost of few. */
export function bandLine(x: Float64Array, series: Series): { x: Float64Array; y: Float64Array } {
  const out = { x: new Float64Array(x.length * 2), y: new Float64Array(x.length * 2) };
  for (let index = 0; index < x.length; index += 1) {
    const up = index % 2 === 0;
    out.x[index * 2] = x[index]!;
    out.x[index * 2 + 1] = x[index]!;
    out.y[index * 2] = up ? series.min[index]! : series.max[index]!;
    out.y[index * 2 + 1] = up ? series.max[index]! : series.min[index]!;
  }
  return out;
}

/** The y range that leaves out the lowest and highest 1 % of the values, or null when there are too few. */
export function rangeWithoutOutliers(all: readonly Float64Array[], log: boolean): [number, number] | null {
  const values: number[] = [];
  for (const one of all) {
    for (const value of one) {
      if (Number.isFinite(value) && (!log || value > 0)) {
        values.push(log ? Math.log10(value) : value);
      }
    }
  }
  if (values.length < 20) {
    return null;
  }
  values.sort((a, b) => a - b);
  const low = values[Math.floor(values.length * 0.01)]!;
  const high = values[Math.ceil(values.length * 0.99) - 1]!;
  const margin = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - margin, high + margin];
}

/** The index of the point at or before `x` in ascending values, or -1. */
export function indexAt(values: ArrayLike<number>, x: number): number {
  return upperBound(values, x) - 1;
}

/** `to` at the place where ascending `from` equals `value`, interpolated and clamped to the ends. */
export function translate(from: ArrayLike<number>, to: ArrayLike<number>, value: number): number | null {
  const count = from.length;
  if (count === 0) {
    return null;
  }
  const at = indexAt(from, value);
  if (at < 0) {
    return to[0]!;
  }
  if (at >= count - 1) {
    return to[count - 1]!;
  }
  const gap = from[at + 1]! - from[at]!;
  const part = gap === 0 ? 0 : (value - from[at]!) / gap;
  return to[at]! + part * (to[at + 1]! - to[at]!);
}

/** Steps in one epoch, told from a metric that is written once an epoch; steps count from 1. */
export function stepsPerEpoch(perEpoch: Series | undefined): number | null {
  const count = perEpoch?.total ?? 0;
  if (!perEpoch || count === 0 || perEpoch.steps.length === 0) {
    return null;
  }
  return perEpoch.steps[perEpoch.steps.length - 1]! / count || null;
}
