/** Before and after: the rows of the table, from two candidates of a search or from the report of a block. Pure. */
import { type Candidate, MEASURES, type Measure } from "./candidates";

export interface BeforeAfterRow {
  measure: Measure;
  before: number;
  after: number;
}

/** What both were measured by. */
export function rowsOfCandidates(before: Candidate, after: Candidate): BeforeAfterRow[] {
  return MEASURES.flatMap((measure) => {
    const [from, to] = [before.values[measure], after.values[measure]];
    return from === null || to === null ? [] : [{ measure, before: from, after: to }];
  });
}

/** The names that reports of blocks give a measure, without `before` and `after`. */
const PAIRS: readonly [Measure, before: string, after: string][] = [
  ["latency_ms", "before_ms", "after_ms"],
  ["size_bytes", "size_before_bytes", "size_after_bytes"],
  ["size_bytes", "size_before", "size_after"],
  ["accuracy", "accuracy_before", "accuracy_after"],
  ["perplexity", "perplexity_before", "perplexity_after"],
  ["params", "params_before", "params_after"],
  ["params", "parameters_before", "parameters_after"],
  ["macs", "macs_before", "macs_after"],
];

/** What the report of a block says of both models. */
export function rowsOfReport(metrics: Readonly<Record<string, number | null>>): BeforeAfterRow[] {
  const found = new Map<Measure, BeforeAfterRow>();
  for (const [measure, from, to] of PAIRS) {
    const [before, after] = [metrics[from], metrics[to]];
    if (typeof before === "number" && typeof after === "number" && !found.has(measure)) {
      found.set(measure, { measure, before, after });
    }
  }
  return MEASURES.flatMap((measure) => found.get(measure) ?? []);
}

/** Names of a report that the table says already, so that a list beside it can leave them out. */
export const PAIRED: ReadonlySet<string> = new Set(PAIRS.flatMap(([, before, after]) => [before, after]));

/** For the better, for the worse, or the same. */
export function toneOf({ measure, before, after }: BeforeAfterRow): "better" | "worse" | "same" {
  if (before === after) {
    return "same";
  }
  return after > before === (measure === "accuracy" || measure === "agreement") ? "better" : "worse";
}
