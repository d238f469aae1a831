/**
 * What a run decided while it ran, such as a change of precision, and the rungs that follow from it.
 *
 * Pure functions on `decision` events: the reducer keeps them, the timeline under the training chart draws them.
 * `from` and `to` of a precision decision, in its values or its evidence, name rungs; the new one holds from its step.
 */
import type { RunEvent } from "./runTypes";
import type { Json } from "./types";

export interface Decision {
  seq: number;
  t: number;
  block: string;
  kind: string;
  step: number;
  message: string;
  template: string;
  values: Record<string, Json>;
  evidence: Record<string, Json>;
}

/** A stretch of steps on one rung; `to` is null while it lasts. */
export interface RungSpan {
  rung: string;
  from: number;
  to: number | null;
}

/** More than that are not kept: the newest are. */
export const MAX_DECISIONS = 5_000;

/** From the safest to the fastest-looking; also the order of the lanes, top to bottom. */
const RUNGS = ["fp32", "tf32", "bf16", "fp16", "fp8", "int8"];

const isRung = (value: Json | undefined): value is string => typeof value === "string" && RUNGS.includes(value);

export function decisionOf(event: RunEvent): Decision | null {
  return event.type === "decision" ? { ...event, t: event.t ?? Number.NaN } : null;
}

const keyOf = ({ block, kind, step, template }: Decision) => `${block} ${kind} ${step} ${template}`;

/** Two lists as one, by step; what a resumed attempt says again replaces what was said before. */
export function mergeDecisions(before: readonly Decision[], more: readonly Decision[]): readonly Decision[] {
  if (more.length === 0) {
    return before;
  }
  const all = new Map<string, Decision>();
  for (const one of [...before, ...more].sort((a, b) => a.seq - b.seq)) {
    all.set(keyOf(one), one);
  }
  const kept = [...all.values()].sort((a, b) => a.seq - b.seq).slice(-MAX_DECISIONS);
  return kept.sort((a, b) => a.step - b.step || a.seq - b.seq);
}

/** The rung that holds after a decision; null when it is about something else. */
export function rungAfter({ kind, values, evidence }: Pick<Decision, "kind" | "values" | "evidence">): string | null {
  if (kind !== "precision" && kind !== "probe" && kind !== "attribution") {
    return null;
  }
  const choice = evidence.choice as { precision?: Json } | null | undefined;
  return [values.to, values.rung, evidence.to, choice?.precision].find(isRung) ?? null;
}

function rungBefore({ values, evidence }: Decision): string | null {
  return [values.from, evidence.from].find(isRung) ?? null;
}

/** Which rung held when, for the decisions of one block in ascending step. */
export function rungSpans(decisions: readonly Decision[]): RungSpan[] {
  const spans: RungSpan[] = [];
  for (const decision of decisions) {
    const rung = rungAfter(decision);
    if (rung === null) {
      continue;
    }
    const last = spans[spans.length - 1];
    const before = rungBefore(decision);
    if (!last && before !== null && decision.step > 0) {
      spans.push({ rung: before, from: 0, to: decision.step });
    }
    if (last?.rung === rung) {
      continue;
    }
    if (last && last.to === null) {
      last.to = decision.step;
    }
    spans.push({ rung, from: decision.step, to: null });
  }
  return spans.filter((span) => span.to === null || span.to > span.from);
}

/** The rungs of some spans as lanes, the safest first. */
export function lanesOf(spans: readonly RungSpan[]): string[] {
  const found = new Set(spans.map((span) => span.rung));
  return RUNGS.filter((rung) => found.has(rung));
}

/** Towards more digits, towards speed, or neither. */
export function directionOf(decision: Decision): "safer" | "faster" | null {
  const from = rungBefore(decision);
  const to = rungAfter(decision);
  if (from === null || to === null || from === to) {
    return null;
  }
  return RUNGS.indexOf(to) < RUNGS.indexOf(from) ? "safer" : "faster";
}

const MAX_ROWS = 24;

/** Evidence as rows of a small table; what lies one level down gets a dotted name. */
export function evidenceRows(evidence: Record<string, Json>): [name: string, value: Json][] {
  const rows = Object.entries(evidence).flatMap(([name, value]): [string, Json][] => {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return Object.entries(value).map(([inner, one]) => [`${name}.${inner}`, one]);
    }
    return [[name, value]];
  });
  return rows.slice(0, MAX_ROWS);
}

export interface Cluster {
  /** Pixels from the left of the axis. */
  x: number;
  decisions: Decision[];
}

/** Markers that would lie on each other become one; `place` gives pixels, NaN for what is out of sight. */
export function clusterDecisions(
  decisions: readonly Decision[],
  place: (step: number) => number,
  width: number,
  gap: number,
): Cluster[] {
  const clusters: Cluster[] = [];
  for (const decision of decisions) {
    const x = place(decision.step);
    if (!(x >= -1 && x <= width + 1)) {
      continue;
    }
    const last = clusters[clusters.length - 1];
    if (last && Math.abs(x - last.x) < gap) {
      last.decisions.push(decision);
    } else {
      clusters.push({ x, decisions: [decision] });
    }
  }
  return clusters;
}
