/**
 * The document as React Flow's nodes and edges.
 *
 * A node object is made anew only when its own position or selection changed, so React Flow and the memoised cards skip
 * the rest. While a drag is under way positions live here; the document hears of them once, when the drag ends.
 */
import { applyNodeChanges, type Edge, type Node, type NodeChange } from "@xyflow/react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { outputAt } from "../../graph/connections";
import { splitAddress } from "../../graph/document";
import type { Catalog, Operation, PipelineDocument, Point } from "../../graph/types";
import { t } from "../../i18n";
import { useBuilder, useBuilderState } from "../store/context";
import { edit } from "../store/edits";
import { type BuilderStore, documentOf, type Selection } from "../store/state";

export type FlowNode = Node<Record<string, never>, "block" | "note">;
export type FlowEdge = Edge<{ kind: string }>;

export const NOTE_PREFIX = "note:";
const NO_DATA: Record<string, never> = {};

export function toNodes(document: PipelineDocument, selection: Selection, before: readonly FlowNode[]): FlowNode[] {
  const known = new Map(before.map((node) => [node.id, node]));
  const place = (id: string, type: "block" | "note", at: Point, selected: boolean, size?: Point): FlowNode => {
    const old = known.get(id);
    const same = old && old.position.x === at[0] && old.position.y === at[1] && old.selected === selected;
    if (same && (!size || (old.width === size[0] && old.height === size[1]))) return old;
    const position = { x: at[0], y: at[1] };
    return {
      ...(old ?? { id, type, data: NO_DATA }),
      position,
      selected,
      dragging: false,
      ...(size ? { width: size[0], height: size[1] } : {}),
    };
  };
  const { positions, notes } = document.layout;
  return [
    ...notes.map((note) =>
      place(NOTE_PREFIX + note.id, "note", note.position, selection.notes.has(note.id), note.size ?? [224, 96]),
    ),
    ...Object.keys(document.blocks).map((id) => place(id, "block", positions[id] ?? [0, 0], selection.blocks.has(id))),
  ];
}

export function useFlowNodes() {
  const { store } = useBuilder();
  const document = useBuilderState(documentOf);
  const selection = useBuilderState((state) => state.selection);
  const [nodes, setNodes] = useState<FlowNode[]>(() => toNodes(document, selection, []));
  const shown = useRef({ document, selection });

  useEffect(() => {
    if (shown.current.document === document && shown.current.selection === selection) return;
    shown.current = { document, selection };
    setNodes((before) => toNodes(document, selection, before));
  }, [document, selection]);

  const onNodesChange = useCallback(
    (changes: NodeChange<FlowNode>[]) => {
      const kept = changes.filter((change) => change.type !== "select" && change.type !== "remove");
      if (kept.length > 0) setNodes((before) => applyNodeChanges(kept, before));
      takeSelection(store, changes);
      takePositions(store, changes);
      takeSizes(store, changes);
    },
    [store],
  );
  return { nodes, onNodesChange };
}

function takeSelection(store: BuilderStore, changes: readonly NodeChange<FlowNode>[]): void {
  const selects = changes.filter((change) => change.type === "select");
  if (selects.length === 0) return;
  const { selection } = store.getState();
  const blocks = new Set(selection.blocks);
  const notes = new Set(selection.notes);
  for (const { id, selected } of selects) {
    const isNote = id.startsWith(NOTE_PREFIX);
    const [set, key] = isNote ? [notes, id.slice(NOTE_PREFIX.length)] : [blocks, id];
    if (selected) set.add(key);
    else set.delete(key);
  }
  store.setState({ selection: { ...selection, blocks, notes } });
}

/** A finished move. Arrow keys move without drag events, so the changes are the only place that sees every move. */
function takePositions(store: BuilderStore, changes: readonly NodeChange<FlowNode>[]): void {
  const { layout } = documentOf(store.getState());
  const positions: Record<string, Point> = {};
  const operations: Operation[] = [];
  for (const change of changes) {
    if (change.type !== "position" || change.dragging || !change.position) continue;
    const at: Point = [change.position.x, change.position.y];
    if (!change.id.startsWith(NOTE_PREFIX)) {
      const old = layout.positions[change.id];
      if (!old || old[0] !== at[0] || old[1] !== at[1]) positions[change.id] = at;
      continue;
    }
    const note = layout.notes.find((other) => NOTE_PREFIX + other.id === change.id);
    if (note && (note.position[0] !== at[0] || note.position[1] !== at[1]))
      operations.push({ op: "set_note", ...note, position: at });
  }
  if (Object.keys(positions).length > 0) operations.unshift({ op: "move", positions });
  edit(store, operations);
}

function takeSizes(store: BuilderStore, changes: readonly NodeChange<FlowNode>[]): void {
  for (const change of changes) {
    if (change.type !== "dimensions" || change.resizing !== false || !change.dimensions) continue;
    const note = documentOf(store.getState()).layout.notes.find((other) => NOTE_PREFIX + other.id === change.id);
    const { width, height } = change.dimensions;
    if (note) edit(store, [{ op: "set_note", ...note, size: [Math.round(width), Math.round(height)] }]);
  }
}

/** Edges, each kept as the same object while its wire and selection stay. */
export function useFlowEdges(): FlowEdge[] {
  const document = useBuilderState(documentOf);
  const catalog = useBuilderState((state) => state.catalog);
  const wires = useBuilderState((state) => state.selection.wires);
  const { wires: all } = document;
  const cache = useRef(new Map<string, FlowEdge>());
  // biome-ignore lint/correctness/useExhaustiveDependencies: of the document only the wires matter, and types of blocks never change
  return useMemo(() => {
    const next = new Map<string, FlowEdge>();
    for (const [from, to] of all) {
      const id = `${from}>${to}`;
      const selected = wires.has(id);
      const old = cache.current.get(id);
      next.set(id, old && old.selected === selected ? old : toEdge(document, catalog, from, to, selected));
    }
    cache.current = next;
    return [...next.values()];
  }, [all, wires, catalog]);
}

function toEdge(document: PipelineDocument, catalog: Catalog, from: string, to: string, selected: boolean): FlowEdge {
  const source = splitAddress(from);
  const target = splitAddress(to);
  return {
    id: `${from}>${to}`,
    type: "wire",
    source: source.block,
    ariaLabel: t("Wire from {from} to {to}", { from, to }),
    sourceHandle: source.port,
    target: target.block,
    targetHandle: target.port,
    selected,
    data: { kind: outputAt(document, catalog, from)?.kind ?? "other" },
  };
}
