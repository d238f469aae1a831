/**
 * What the keyboard, the buttons, the menus and the outline do: each command exists once.
 */
import { extract, insertOperations, shiftTo } from "../../graph/clipboard";
import { fittingPort, type PortRef } from "../../graph/connections";
import { parseDocument, splitAddress } from "../../graph/document";
import { freshId, withoutCollision } from "../../graph/names";
import { boundsOf, freePlace, GRID } from "../../graph/place";
import { message, type Operation, type PipelineDocument, type Point } from "../../graph/types";
import { edit } from "./edits";
import { type BuilderStore, documentOf, emptySelection, notify, type Selection } from "./state";

export const wireKey = (wire: readonly [string, string]): string => `${wire[0]}>${wire[1]}`;

export function select(store: BuilderStore, selection: Partial<Selection>): void {
  store.setState({ selection: { ...emptySelection, ...selection } });
}

export const selectBlocks = (store: BuilderStore, ids: Iterable<string>): void =>
  select(store, { blocks: new Set(ids) });

export function selectAll(store: BuilderStore): void {
  const { blocks, layout } = documentOf(store.getState());
  select(store, { blocks: new Set(Object.keys(blocks)), notes: new Set(layout.notes.map((note) => note.id)) });
}

/** The one selected block, or null. */
export function onlyBlock(selection: Selection): string | null {
  const [first] = selection.blocks;
  return selection.blocks.size === 1 && selection.notes.size === 0 ? (first ?? null) : null;
}

/** Bring blocks into view, and open a field of the first in the inspector. */
export function focusBlock(store: BuilderStore, id: string, field: string | null = null): void {
  const nonce = Date.now();
  selectBlocks(store, [id]);
  store.setState({
    focusView: { blocks: [id], nonce },
    focusField: { block: id, field, nonce },
    ...(field === null ? {} : { panel: "inspector" as const }),
  });
}

export interface NewBlock {
  readonly type: string;
  /** Where its top left corner goes; null finds a place beside what is there. */
  readonly at: Point | null;
  /** A port whose wire was dropped: the new block is connected to it. */
  readonly port?: PortRef | null;
}

/** Add a block and select it. Returns its id, or null when that was refused. */
export function addBlock(store: BuilderStore, { type, at, port = null }: NewBlock): string | null {
  const state = store.getState();
  const document = documentOf(state);
  const spec = state.catalog.blocks[type];
  if (!spec) return null;
  const id = freshId(type, Object.keys(document.blocks));
  const position = freePlace(document, at ?? placeBeside(document, state.selection));
  const operations: Operation[] = [{ op: "add_block", id, type, params: {}, position }];
  const fitting = port && fittingPort(document, state.catalog, spec, port);
  if (port && fitting)
    operations.push(
      port.direction === "output"
        ? { op: "connect", from: port.address, to: `${id}.${fitting}` }
        : { op: "connect", from: `${id}.${fitting}`, to: port.address },
    );
  if (!edit(store, operations)) return null;
  selectBlocks(store, [id]);
  if (!at) store.setState({ focusView: { blocks: [id], nonce: Date.now(), ifHidden: true } });
  return id;
}

function placeBeside(document: PipelineDocument, selection: Selection): Point {
  const [last] = [...selection.blocks].slice(-1);
  const beside = last ? document.layout.positions[last] : undefined;
  if (beside) return [beside[0] + 304, beside[1]];
  const bounds = boundsOf(document);
  return bounds ? [bounds.x + bounds.width + 5 * GRID, bounds.y] : [0, 0];
}

export function addNote(store: BuilderStore, at: Point | null): void {
  const { layout } = documentOf(store.getState());
  const id = withoutCollision("note", new Set(layout.notes.map((note) => note.id)));
  const bounds = boundsOf(documentOf(store.getState()));
  const position = at ?? [bounds?.x ?? 0, (bounds?.y ?? 0) - 10 * GRID];
  if (edit(store, [{ op: "set_note", id, text: "", position, size: [224, 96] }]))
    select(store, { notes: new Set([id]) });
}

export function deleteSelection(store: BuilderStore): void {
  const { selection, sync } = store.getState();
  const gone = selection.blocks;
  const wires = sync.document.wires.filter(
    (wire) =>
      selection.wires.has(wireKey(wire)) &&
      !gone.has(splitAddress(wire[0]).block) &&
      !gone.has(splitAddress(wire[1]).block),
  );
  const operations: Operation[] = [
    ...wires.map((wire): Operation => ({ op: "disconnect", from: wire[0], to: wire[1] })),
    ...[...gone].map((id): Operation => ({ op: "remove_block", id })),
    ...[...selection.notes].map((id): Operation => ({ op: "remove_note", id })),
  ];
  if (edit(store, operations)) select(store, {});
}

export function toggleBypass(store: BuilderStore): void {
  const { selection, sync } = store.getState();
  const ids = [...selection.blocks];
  const value = !ids.every((id) => sync.document.blocks[id]?.bypass);
  edit(
    store,
    ids.map((id): Operation => ({ op: "bypass", id, value })),
  );
}

/** The selection as pipeline JSON text; null when nothing is selected. */
export function copyText(store: BuilderStore): string | null {
  const { selection, sync } = store.getState();
  if (selection.blocks.size + selection.notes.size === 0) return null;
  return JSON.stringify(extract(sync.document, selection.blocks, selection.notes), null, 2);
}

export function duplicateSelection(store: BuilderStore): void {
  const { selection, sync } = store.getState();
  if (selection.blocks.size + selection.notes.size === 0) return;
  insert(store, extract(sync.document, selection.blocks, selection.notes), [2 * GRID, 2 * GRID]);
}

/** Paste pipeline JSON so that its top left corner lies at `at`. Returns whether the text was a pipeline. */
export function pasteText(store: BuilderStore, text: string, at: Point): boolean {
  if (!text.includes("deepseek.pipeline/")) return false;
  const parsed = parseDocument(text);
  if (!parsed.ok) {
    notify(store, parsed.problem, "error");
    return false;
  }
  insert(store, parsed.document, shiftTo(parsed.document, at));
  return true;
}

function insert(store: BuilderStore, fragment: PipelineDocument, shift: Point): void {
  const { operations, ids } = insertOperations(documentOf(store.getState()), fragment, shift);
  if (!edit(store, operations)) return;
  selectBlocks(store, ids);
  notify(store, message("{count} blocks added", { count: ids.length }));
}

/** Put a whole pipeline in the place of this one, as one step that can be undone. */
export function replaceDocument(store: BuilderStore, document: PipelineDocument): boolean {
  const before = documentOf(store.getState());
  const emptied: PipelineDocument = {
    ...before,
    blocks: {},
    wires: [],
    layout: { positions: {}, notes: [], frames: [] },
  };
  const operations: Operation[] = [
    ...Object.keys(before.blocks).map((id): Operation => ({ op: "remove_block", id })),
    ...before.layout.notes.map((note): Operation => ({ op: "remove_note", id: note.id })),
    ...insertOperations(emptied, document, [0, 0]).operations,
    { op: "set_seed", seed: document.seed },
  ];
  if (!edit(store, operations)) return false;
  select(store, {});
  store.setState({ focusView: { blocks: [], nonce: Date.now() } });
  return true;
}

/** Open the search for a block to add. */
export function openSearch(
  store: BuilderStore,
  search: { at?: Point | null; screen?: Point | null; port?: PortRef | null },
): void {
  if (!store.getState().canEdit) return;
  store.setState({ search: { at: search.at ?? null, screen: search.screen ?? null, port: search.port ?? null } });
}
