/**
 * Candidates of a search for smaller and faster models, and the front among them.
 *
 * Pure functions: from `decision` events of kind "candidate" while the search runs, from `front.json` when it is done.
 * The chart, the table and the panel of the builder read the result; nothing here draws or fetches.
 */
import type { Decision } from "../lib/decisions";
import type { Json } from "../lib/types";

/** What a candidate is measured by; all but accuracy and agreement are better when they are lower. */
export const MEASURES = ["latency_ms", "size_bytes", "accuracy", "agreement", "perplexity", "params", "macs"] as const;
export type Measure = (typeof MEASURES)[number];

export const higherIsBetter = (measure: Measure): boolean => measure === "accuracy" || measure === "agreement";

/** A text of the engine: translated by its template where it is shown. */
export interface Words {
  template: string;
  values: Record<string, Json>;
}

export interface Candidate {
  name: string;
  /** Its place in the order of the search. */
  order: number;
  steps: readonly Words[];
  values: Readonly<Record<Measure, number | null>>;
  refused: boolean;
  reason: Words | null;
  baseline: boolean;
  runtime: string | null;
  seconds: number | null;
  /** Of the model that was kept; known when the search is done. */
  digest: string | null;
}

export interface Search {
  /** The baseline first, then in the order of the search. */
  candidates: readonly Candidate[];
  /** Names of those that no other beats in everything; one that loses more than allowed may be among them. */
  front: ReadonlySet<string>;
  /** Share of accuracy that a candidate may lose. */
  maxDrop: number | null;
}

export const NO_SEARCH: Search = { candidates: [], front: new Set(), maxDrop: null };

type Fields = Record<string, Json | undefined>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const textOf = (value: Json | undefined): string | null => (typeof value === "string" && value !== "" ? value : null);

const numberOf = (value: Json | undefined): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;

const namesOf = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];

function wordsOf(value: Json | undefined): Words | null {
  if (typeof value === "string") {
    return value === "" ? null : { template: value, values: {} };
  }
  if (!isFields(value) || typeof value.template !== "string") {
    return null;
  }
  return { template: value.template, values: isFields(value.values) ? (value.values as Record<string, Json>) : {} };
}

/** One candidate as the engine writes it; null when it has no name. */
export function candidateOf(fields: Fields, order: number): Candidate | null {
  const name = textOf(fields.name);
  if (name === null) {
    return null;
  }
  const reason = fields.reason_template
    ? { template: fields.reason_template, values: fields.reason_values ?? {} }
    : fields.reason;
  return {
    name,
    order,
    steps: (Array.isArray(fields.steps) ? fields.steps : []).flatMap((step) => wordsOf(step) ?? []),
    values: Object.fromEntries(MEASURES.map((measure) => [measure, numberOf(fields[measure])])) as Candidate["values"],
    refused: fields.status === "refused",
    reason: wordsOf(reason as Json | undefined),
    baseline: fields.baseline === true,
    runtime: textOf(fields.runtime),
    seconds: numberOf(fields.seconds),
    digest: textOf(fields.digest),
  };
}

function searchOf(all: readonly Fields[], front: readonly string[]): Search {
  const byName = new Map<string, Candidate>();
  for (const [order, fields] of all.entries()) {
    const found = candidateOf(fields, order);
    if (found) {
      byName.set(found.name, found);
    }
  }
  const candidates = [...byName.values()].sort((a, b) => Number(b.baseline) - Number(a.baseline) || a.order - b.order);
  return {
    candidates,
    front: new Set(front.filter((name) => byName.has(name))),
    maxDrop: numberOf(all[all.length - 1]?.max_drop),
  };
}

export const isCandidate = (decision: Pick<Decision, "kind">): boolean => decision.kind === "candidate";

/** The search of a block so far; what a resumed attempt says again replaces what was said before. */
export function searchOfDecisions(decisions: readonly Decision[], block: string): Search {
  const said = decisions.filter((one) => one.block === block && isCandidate(one)).sort((a, b) => a.seq - b.seq);
  const last = said[said.length - 1];
  return last
    ? searchOf(
        said.map((one) => one.evidence),
        namesOf(last.evidence.front),
      )
    : NO_SEARCH;
}

/** The whole search as `front.json` keeps it. */
export function searchOfFront(file: Json): Search {
  const list = isFields(file) ? file.candidates : file;
  const all = (Array.isArray(list) ? list : []).filter((one): one is Record<string, Json> => isFields(one));
  const named = isFields(file) ? namesOf(file.front) : namesOf(all[all.length - 1]?.front);
  const kept = all.filter((one) => typeof one.digest === "string");
  return searchOf(all, named.length > 0 ? named : kept.flatMap((one) => textOf(one.name) ?? []));
}

/** The measures that any candidate has. */
export function measuresOf(search: Search): Measure[] {
  return MEASURES.filter((measure) => search.candidates.some((one) => one.values[measure] !== null));
}

const isBetter = (a: number, b: number, measure: Measure): boolean => (higherIsBetter(measure) ? a > b : a < b);

/** Members of the front that are not beaten in these two measures, from left to right: the line of the chart. */
export function frontLine(search: Search, x: Measure, y: Measure): Candidate[] {
  const members = search.candidates.filter(
    (one) => search.front.has(one.name) && one.values[x] !== null && one.values[y] !== null,
  );
  const beats = (a: Candidate, b: Candidate) => {
    const [ax, ay, bx, by] = [a.values[x]!, a.values[y]!, b.values[x]!, b.values[y]!];
    return !isBetter(bx, ax, x) && !isBetter(by, ay, y) && (isBetter(ax, bx, x) || isBetter(ay, by, y));
  };
  return members
    .filter((one) => !members.some((other) => beats(other, one)))
    .sort((a, b) => a.values[x]! - b.values[x]!);
}

/** The point to look at first: the model that the search returned, else the fastest of the front. */
export function bestOf(search: Search, chosen: string | null): Candidate | null {
  const returned = chosen === null ? undefined : search.candidates.find((one) => one.digest === chosen);
  const front = search.candidates.filter((one) => search.front.has(one.name) && !one.baseline && !one.refused);
  const fastest = [...front].sort((a, b) => (a.values.latency_ms ?? 1e99) - (b.values.latency_ms ?? 1e99))[0];
  return returned ?? fastest ?? search.candidates[0] ?? null;
}
