/**
 * Reading a pipeline document: parse, address ports, walk wires.
 *
 * Pure functions on plain data. `parseDocument` is the only door through which foreign JSON enters the builder.
 */
import { arrange } from "./arrange";
import {
  type BlockEntry,
  DOCUMENT_FORMAT,
  type Message,
  message,
  type Note,
  type PipelineDocument,
  type Point,
  type Wire,
} from "./types";

export const BLOCK_ID = /^[a-z][a-z0-9_]{0,63}$/;

export function emptyDocument(name = "Untitled"): PipelineDocument {
  return {
    format: DOCUMENT_FORMAT,
    name,
    seed: 0,
    blocks: {},
    wires: [],
    layout: { positions: {}, notes: [], frames: [] },
  };
}

/** Split `block.port` into its two names. */
export function splitAddress(address: string): { block: string; port: string } {
  const dot = address.indexOf(".");
  return dot < 0 ? { block: address, port: "" } : { block: address.slice(0, dot), port: address.slice(dot + 1) };
}

export function wiresInto(document: PipelineDocument, address: string): readonly Wire[] {
  return document.wires.filter(([, to]) => to === address);
}

export function wiresOfBlock(document: PipelineDocument, id: string): readonly Wire[] {
  return document.wires.filter(([from, to]) => splitAddress(from).block === id || splitAddress(to).block === id);
}

/** Blocks that `id` needs, directly or not (without itself). */
export function ancestors(document: PipelineDocument, id: string): Set<string> {
  return reach(document, id, ([from, to]) => [splitAddress(to).block, splitAddress(from).block]);
}

/** Blocks that need `id`, directly or not (without itself). */
export function descendants(document: PipelineDocument, id: string): Set<string> {
  return reach(document, id, ([from, to]) => [splitAddress(from).block, splitAddress(to).block]);
}

function reach(
  document: PipelineDocument,
  start: string,
  step: (wire: Wire) => readonly [here: string, there: string],
): Set<string> {
  const neighbours = new Map<string, string[]>();
  for (const wire of document.wires) {
    const [here, there] = step(wire);
    const list = neighbours.get(here);
    if (list) list.push(there);
    else neighbours.set(here, [there]);
  }
  const seen = new Set<string>();
  const queue = [start];
  for (let block = queue.pop(); block !== undefined; block = queue.pop()) {
    for (const next of neighbours.get(block) ?? []) {
      if (seen.has(next) || next === start) continue;
      seen.add(next);
      queue.push(next);
    }
  }
  return seen;
}

/** Block ids in the order a run would visit them; blocks on a cycle come last, in document order. */
export function runOrder(document: PipelineDocument): string[] {
  const waiting = new Map<string, number>(Object.keys(document.blocks).map((id) => [id, 0]));
  const followers = new Map<string, string[]>();
  for (const [from, to] of document.wires) {
    const source = splitAddress(from).block;
    const target = splitAddress(to).block;
    if (!waiting.has(source) || !waiting.has(target)) continue;
    waiting.set(target, (waiting.get(target) ?? 0) + 1);
    followers.set(source, [...(followers.get(source) ?? []), target]);
  }
  const order = [...waiting].filter(([, count]) => count === 0).map(([id]) => id);
  for (let index = 0; index < order.length; index += 1) {
    for (const next of followers.get(order[index] as string) ?? []) {
      const left = (waiting.get(next) ?? 0) - 1;
      waiting.set(next, left);
      if (left === 0) order.push(next);
    }
  }
  const placed = new Set(order);
  return [...order, ...Object.keys(document.blocks).filter((id) => !placed.has(id))];
}

/** Blocks that lie on a cycle or between two: what is left when sources and sinks are peeled away. */
export function blocksOnCycle(document: PipelineDocument): Set<string> {
  const forward = peel(document, ([from, to]) => [splitAddress(from).block, splitAddress(to).block]);
  const backward = peel(document, ([from, to]) => [splitAddress(to).block, splitAddress(from).block]);
  return new Set([...forward].filter((id) => backward.has(id)));
}

/** What stays after taking away, again and again, every block that waits for nobody. */
function peel(
  document: PipelineDocument,
  direction: (wire: Wire) => readonly [source: string, target: string],
): Set<string> {
  const waiting = new Map<string, number>(Object.keys(document.blocks).map((id) => [id, 0]));
  const followers = new Map<string, string[]>();
  for (const wire of document.wires) {
    const [source, target] = direction(wire);
    if (!waiting.has(source) || !waiting.has(target)) continue;
    waiting.set(target, (waiting.get(target) ?? 0) + 1);
    const list = followers.get(source);
    if (list) list.push(target);
    else followers.set(source, [target]);
  }
  const free = [...waiting].filter(([, count]) => count === 0).map(([id]) => id);
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    waiting.delete(id);
    for (const next of followers.get(id) ?? []) {
      const left = (waiting.get(next) ?? 0) - 1;
      waiting.set(next, left);
      if (left === 0) free.push(next);
    }
  }
  return new Set(waiting.keys());
}

export type Parsed =
  | { readonly ok: true; readonly document: PipelineDocument }
  | { readonly ok: false; readonly problem: Message };

const refuse = (template: string, values: Message["values"] = {}): Parsed => ({
  ok: false,
  problem: message(template, values),
});

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Turn foreign text or JSON into a document, or say what is wrong with it. */
export function parseDocument(source: unknown): Parsed {
  const raw = typeof source === "string" ? parseJson(source) : source;
  if (!isRecord(raw)) return refuse("This is not a pipeline: it is not a JSON object.");
  const format = raw.format;
  if (typeof format !== "string" || !format.startsWith("deepseek.pipeline/"))
    return refuse('This is not a pipeline: "format" should be {format}.', {
      format: DOCUMENT_FORMAT,
    });
  if (Number(format.split("/")[1]) > 1)
    return refuse("This pipeline was made by a newer version ({format}). Update the studio to open it.", {
      format,
    });
  if (!isRecord(raw.blocks)) return refuse('This pipeline has no "blocks".');
  const blocks: Record<string, BlockEntry> = {};
  for (const [id, entry] of Object.entries(raw.blocks)) {
    if (!BLOCK_ID.test(id) || !isRecord(entry) || typeof entry.type !== "string")
      return refuse('The block "{block}" of this pipeline is malformed.', { block: id });
    blocks[id] = parseBlock(entry.type, entry);
  }
  const wires = parseWires(raw.wires);
  if (!wires) return refuse('The "wires" of this pipeline are malformed.');
  const document: PipelineDocument = {
    format: DOCUMENT_FORMAT,
    name: typeof raw.name === "string" && raw.name ? raw.name : "Untitled",
    seed: typeof raw.seed === "number" ? raw.seed : 0,
    blocks,
    wires,
    layout: parseLayout(raw.layout, Object.keys(blocks)),
  };
  const edges = wires.map(([from, to]) => [splitAddress(from).block, splitAddress(to).block] as const);
  const positions = arrange(runOrder(document), edges, document.layout.positions);
  return { ok: true, document: { ...document, layout: { ...document.layout, positions } } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function parseBlock(type: string, entry: Record<string, unknown>): BlockEntry {
  return {
    type,
    params: isRecord(entry.params) ? entry.params : {},
    ...(typeof entry.label === "string" && entry.label ? { label: entry.label } : {}),
    ...(entry.bypass === true ? { bypass: true } : {}),
  };
}

function parseWires(raw: unknown): Wire[] | null {
  if (raw === undefined) return [];
  if (!Array.isArray(raw)) return null;
  const wires: Wire[] = [];
  for (const wire of raw) {
    if (!Array.isArray(wire) || typeof wire[0] !== "string" || typeof wire[1] !== "string") return null;
    wires.push([wire[0], wire[1]]);
  }
  return wires;
}

function parsePoint(raw: unknown): Point | null {
  return Array.isArray(raw) && Number.isFinite(raw[0]) && Number.isFinite(raw[1])
    ? [raw[0] as number, raw[1] as number]
    : null;
}

function parseLayout(raw: unknown, ids: readonly string[]): PipelineDocument["layout"] {
  const layout = isRecord(raw) ? raw : {};
  const known = isRecord(layout.positions) ? layout.positions : {};
  const positions: Record<string, Point> = {};
  for (const id of ids) {
    const point = parsePoint(known[id]);
    if (point) positions[id] = point;
  }
  const notes = (Array.isArray(layout.notes) ? layout.notes : []).flatMap((note): Note[] => {
    const position = isRecord(note) ? parsePoint(note.position) : null;
    if (!isRecord(note) || !position || typeof note.id !== "string") return [];
    const size = parsePoint(note.size);
    return [{ id: note.id, text: String(note.text ?? ""), position, ...(size ? { size } : {}) }];
  });
  return { positions, notes, frames: Array.isArray(layout.frames) ? layout.frames : [] };
}
