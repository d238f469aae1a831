/**
 * Where the boxes and wires of a pipeline lie when it is only shown: pictures, the run page, differences.
 *
 * Pure; the editable canvas is the builder's.
 */
import type { PipelineDocument } from "../../lib/types";

export const BOX = { width: 190, height: 58 };
const GAP = { x: 70, y: 34 };

export interface Box {
  id: string;
  x: number;
  y: number;
}

export interface Wire {
  id: string;
  from: string;
  to: string;
  path: string;
}

export interface Geometry {
  boxes: Box[];
  wires: Wire[];
  viewBox: [number, number, number, number];
}

const blockOf = (end: string) => end.split(".")[0] ?? end;

/** The length of the longest path to each block; a cycle, which no valid document has, ends at the number of blocks. */
export function depths(document: PipelineDocument): Record<string, number> {
  const ids = Object.keys(document.blocks);
  const depth: Record<string, number> = Object.fromEntries(ids.map((id) => [id, 0]));
  for (let round = 0; round < ids.length; round += 1) {
    let changed = false;
    for (const [from, to] of document.wires) {
      const [a, b] = [blockOf(from), blockOf(to)];
      if (a in depth && b in depth && depth[b]! < depth[a]! + 1) {
        depth[b] = depth[a]! + 1;
        changed = true;
      }
    }
    if (!changed) {
      break;
    }
  }
  return depth;
}

/** A source moves right until it stands beside what reads it, so that its wire crosses no box. */
function columns(document: PipelineDocument): Record<string, number> {
  const depth = depths(document);
  const fed = new Set(document.wires.map(([, to]) => blockOf(to)));
  const out = { ...depth };
  for (const id of Object.keys(depth)) {
    const readers = document.wires.filter(([from]) => blockOf(from) === id).map(([, to]) => depth[blockOf(to)] ?? 1);
    if (!fed.has(id) && readers.length > 0) {
      out[id] = Math.max(0, Math.min(...readers) - 1);
    }
  }
  return out;
}

/** Columns by depth, rows in document order. */
function placeByDepth(document: PipelineDocument): Record<string, [number, number]> {
  const rows: Record<number, number> = {};
  return Object.fromEntries(
    Object.entries(columns(document)).map(([id, depth]) => {
      const row = rows[depth] ?? 0;
      rows[depth] = row + 1;
      return [id, [depth * (BOX.width + GAP.x), row * (BOX.height + GAP.y)] as [number, number]];
    }),
  );
}

/** The geometry of a document: always by depth, so that a wide canvas becomes a compact picture. */
export function geometry(document: PipelineDocument): Geometry {
  const places = placeByDepth(document);
  const boxes = Object.entries(places).map(([id, [x, y]]) => ({ id, x, y }));
  const wires = document.wires.flatMap(([from, to]) => {
    const [a, b] = [places[blockOf(from)], places[blockOf(to)]];
    return a && b ? [{ id: `${from}>${to}`, from, to, path: curve(a, b) }] : [];
  });
  const width = Math.max(BOX.width, ...boxes.map((box) => box.x + BOX.width));
  const height = Math.max(BOX.height, ...boxes.map((box) => box.y + BOX.height));
  return { boxes, wires, viewBox: [-4, -4, width + 8, height + 8] };
}

function curve(from: [number, number], to: [number, number]): string {
  const [x1, y1] = [from[0] + BOX.width, from[1] + BOX.height / 2];
  const [x2, y2] = [to[0], to[1] + BOX.height / 2];
  const bend = Math.max(30, Math.abs(x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
