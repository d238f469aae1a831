/**
 * Copy, paste and duplicate. The clipboard is pipeline JSON, so blocks travel between pipelines, tabs and files.
 */
import { emptyDocument, splitAddress } from "./document";
import { withoutCollision } from "./names";
import type { Operation, PipelineDocument, Point } from "./types";

/** The part of a document made of some blocks (and notes) and the wires between them. */
export function extract(
  document: PipelineDocument,
  ids: ReadonlySet<string>,
  noteIds: ReadonlySet<string> = new Set(),
): PipelineDocument {
  const keep = <T>(record: Readonly<Record<string, T>>) =>
    Object.fromEntries(Object.entries(record).filter(([id]) => ids.has(id)));
  return {
    ...emptyDocument(document.name),
    seed: document.seed,
    blocks: keep(document.blocks),
    wires: document.wires.filter(([from, to]) => ids.has(splitAddress(from).block) && ids.has(splitAddress(to).block)),
    layout: {
      positions: keep(document.layout.positions),
      notes: document.layout.notes.filter((note) => noteIds.has(note.id)),
      frames: [],
    },
  };
}

export interface Insertion {
  readonly operations: readonly Operation[];
  /** Ids of the new blocks. */
  readonly ids: readonly string[];
}

/**
 * The operations that insert a fragment. Ids that are taken get a number; `shift` moves the whole.
 */
export function insertOperations(document: PipelineDocument, fragment: PipelineDocument, shift: Point): Insertion {
  const taken = new Set(Object.keys(document.blocks));
  const renamed = new Map<string, string>();
  for (const id of Object.keys(fragment.blocks)) {
    const fresh = withoutCollision(id, taken);
    taken.add(fresh);
    renamed.set(id, fresh);
  }
  const moved = (point: Point): Point => [point[0] + shift[0], point[1] + shift[1]];
  const operations: Operation[] = [];
  for (const [id, block] of Object.entries(fragment.blocks)) {
    const fresh = renamed.get(id) as string;
    operations.push({
      op: "add_block",
      id: fresh,
      type: block.type,
      params: block.params,
      position: moved(fragment.layout.positions[id] ?? [0, 0]),
      ...(block.label ? { label: block.label } : {}),
    });
    if (block.bypass) operations.push({ op: "bypass", id: fresh, value: true });
  }
  const address = (text: string) => {
    const { block, port } = splitAddress(text);
    return `${renamed.get(block) ?? block}.${port}`;
  };
  for (const [from, to] of fragment.wires) operations.push({ op: "connect", from: address(from), to: address(to) });
  const noteIds = new Set(document.layout.notes.map((note) => note.id));
  for (const note of fragment.layout.notes) {
    const id = withoutCollision(note.id, noteIds);
    noteIds.add(id);
    operations.push({ op: "set_note", ...note, id, position: moved(note.position) });
  }
  return { operations, ids: [...renamed.values()] };
}

/** How far to move a fragment so that its top left corner lands on `target`. */
export function shiftTo(fragment: PipelineDocument, target: Point): Point {
  const points = [...Object.values(fragment.layout.positions), ...fragment.layout.notes.map((note) => note.position)];
  if (points.length === 0) return [0, 0];
  return [
    target[0] - Math.min(...points.map((point) => point[0])),
    target[1] - Math.min(...points.map((point) => point[1])),
  ];
}
