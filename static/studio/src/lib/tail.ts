/**
 * The points of one metric that arrived over the socket since the page opened.
 *
 * Immutable: the run reducer appends a chunk and gets a new tail. The chart joins a tail to the
 * decimated history that the server's pyramid answers with.
 */
import { decodeFloat64, decodeInt64, upperBound } from "./binary";

export interface Points {
  steps: Float64Array;
  t: Float64Array;
  values: Float64Array;
}

export interface Tail {
  chunks: readonly Points[];
  count: number;
  last: number;
  lastStep: number;
}

export const EMPTY_TAIL: Tail = { chunks: [], count: 0, last: Number.NaN, lastStep: -1 };
const MAX_CHUNKS = 48;
/** Older points are in the server's pyramid; the tail only has to reach back to the last refresh. */
export const MAX_TAIL = 40_000;

interface MetricsPayload {
  first_step: number;
  stride: number;
  steps?: string;
  count: number;
  t0: number;
  t1: number;
  values: string;
}

/** The points of one metrics event; times are spread evenly between its first and its last. */
export function decodePoints(event: MetricsPayload): Points {
  const values = decodeFloat64(event.values);
  const count = values.length;
  const steps = event.steps
    ? decodeInt64(event.steps)
    : Float64Array.from({ length: count }, (_, index) => event.first_step + index * event.stride);
  const gap = count > 1 ? (event.t1 - event.t0) / (count - 1) : 0;
  const t = Float64Array.from({ length: count }, (_, index) => (count > 1 ? event.t0 + index * gap : event.t1));
  return { steps, t, values };
}

export function joinPoints(chunks: readonly Points[]): Points {
  const count = chunks.reduce((sum, chunk) => sum + chunk.values.length, 0);
  const out: Points = { steps: new Float64Array(count), t: new Float64Array(count), values: new Float64Array(count) };
  let at = 0;
  for (const chunk of chunks) {
    out.steps.set(chunk.steps, at);
    out.t.set(chunk.t, at);
    out.values.set(chunk.values, at);
    at += chunk.values.length;
  }
  return out;
}

function trim(points: Points, keep: number): Points {
  const from = Math.max(0, points.values.length - keep);
  return { steps: points.steps.subarray(from), t: points.t.subarray(from), values: points.values.subarray(from) };
}

/** A tail with one more chunk; points at or before the last step (a replay after a resume) are left out. */
export function appendPoints(tail: Tail, points: Points): Tail {
  const from = upperBound(points.steps, tail.lastStep);
  if (from >= points.values.length) {
    return tail;
  }
  const fresh =
    from === 0
      ? points
      : { steps: points.steps.subarray(from), t: points.t.subarray(from), values: points.values.subarray(from) };
  let chunks: readonly Points[] = [...tail.chunks, fresh];
  if (chunks.length > MAX_CHUNKS) {
    chunks = [trim(joinPoints(chunks), MAX_TAIL)];
  }
  const count = chunks.reduce((sum, chunk) => sum + chunk.values.length, 0);
  return {
    chunks,
    count,
    last: fresh.values[fresh.values.length - 1]!,
    lastStep: fresh.steps[fresh.steps.length - 1]!,
  };
}

/** The tail's points after a step, joined. */
export function pointsAfter(tail: Tail | undefined, step: number): Points {
  const kept = (tail?.chunks ?? []).flatMap((chunk) => {
    const from = upperBound(chunk.steps, step);
    if (from >= chunk.steps.length) {
      return [];
    }
    return [{ steps: chunk.steps.subarray(from), t: chunk.t.subarray(from), values: chunk.values.subarray(from) }];
  });
  return joinPoints(kept);
}
