/**
 * What differs between pipelines: parameters by address, blocks and wires added, removed or changed.
 *
 * Pure; the compare page shows it.
 */
import type { Json, PipelineDocument } from "../../lib/types";

export type Change = "added" | "removed" | "changed" | "same";

export interface ParamChange {
  name: string;
  before: Json | undefined;
  after: Json | undefined;
}

export interface GraphDiff {
  /** Both documents in one, so that a removed block has a place too. */
  merged: PipelineDocument;
  blocks: Record<string, { change: Change; params: ParamChange[] }>;
  wires: Record<string, Change>;
}

export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export function graphDiff(before: PipelineDocument, after: PipelineDocument): GraphDiff {
  const blocks: GraphDiff["blocks"] = {};
  for (const id of new Set([...Object.keys(before.blocks), ...Object.keys(after.blocks)])) {
    const [a, b] = [before.blocks[id], after.blocks[id]];
    if (!a || !b) {
      blocks[id] = { change: a ? "removed" : "added", params: [] };
      continue;
    }
    const names = [...new Set([...Object.keys(a.params), ...Object.keys(b.params)])].sort();
    const params = names
      .filter((name) => !sameJson(a.params[name], b.params[name]))
      .map((name) => ({ name, before: a.params[name], after: b.params[name] }));
    const changed = params.length > 0 || a.type !== b.type || Boolean(a.bypass) !== Boolean(b.bypass);
    blocks[id] = { change: changed ? "changed" : "same", params };
  }
  const key = ([from, to]: [string, string]) => `${from}>${to}`;
  const [old, fresh] = [new Set(before.wires.map(key)), new Set(after.wires.map(key))];
  const all = [...after.wires, ...before.wires.filter((wire) => !fresh.has(key(wire)))];
  const wires = Object.fromEntries(
    all.map((wire): [string, Change] => {
      const id = key(wire);
      return [id, !old.has(id) ? "added" : !fresh.has(id) ? "removed" : "same"];
    }),
  );
  const merged = { ...after, blocks: { ...before.blocks, ...after.blocks }, wires: all };
  return { merged, blocks, wires };
}

export interface ConfigRow {
  address: string;
  values: (Json | undefined)[];
  differs: boolean;
}

/** One row a configuration value, one column a run; rows that differ come first in address order. */
export function configRows(configs: readonly Record<string, Json>[]): ConfigRow[] {
  const addresses = [...new Set(configs.flatMap((config) => Object.keys(config)))].sort();
  return addresses.map((address) => {
    const values = configs.map((config) => config[address]);
    return { address, values, differs: values.some((value) => !sameJson(value, values[0])) };
  });
}

/** The configuration of a document: `<block>.<parameter>` for every parameter that it sets, and the seed. */
export function configOf(document: PipelineDocument): Record<string, Json> {
  const out: Record<string, Json> = { seed: document.seed };
  for (const [id, block] of Object.entries(document.blocks)) {
    for (const [name, value] of Object.entries(block.params)) {
      out[`${id}.${name}`] = value;
    }
  }
  return out;
}
