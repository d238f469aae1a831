/**
 * The operations that take operations back: what undo sends.
 *
 * An inverse is itself a list of ordinary operations, so undo is saved, shared and refused like any other edit.
 */
import { splitAddress, wiresInto, wiresOfBlock } from "./document";
import { apply, isWire } from "./operations";
import type { Catalog, Operation, PipelineDocument, Wire } from "./types";

/** The operations that lead from after `operations` back to `document`. */
export function invertAll(document: PipelineDocument, operations: readonly Operation[], catalog: Catalog): Operation[] {
  const inverse: Operation[] = [];
  let current = document;
  for (const operation of operations) {
    inverse.unshift(...invert(current, operation));
    current = apply(current, operation, catalog);
  }
  return inverse;
}

function invert(document: PipelineDocument, operation: Operation): Operation[] {
  switch (operation.op) {
    case "add_block":
      return [{ op: "remove_block", id: operation.id }];
    case "remove_block":
      return restoreBlock(document, operation.id);
    case "set_param":
    case "reset_param":
      return [restoreParam(document, operation.id, operation.name)];
    case "connect":
    case "disconnect":
      return restoreWires(document, operation.to, operation.from);
    case "rename":
      return [{ ...operation, label: document.blocks[operation.id]?.label ?? null }];
    case "rename_id":
      return [{ op: "rename_id", id: operation.new_id, new_id: operation.id }];
    case "bypass":
      return [{ ...operation, value: document.blocks[operation.id]?.bypass === true }];
    case "move":
      return [{ op: "move", positions: knownPositions(document, operation.positions) }];
    case "set_seed":
      return [{ op: "set_seed", seed: document.seed }];
    case "set_name":
      return [{ op: "set_name", name: document.name }];
    case "set_note":
    case "remove_note":
      return [restoreNote(document, operation.id)];
  }
}

/** Re-create a removed block with everything that hung on it, wires in their old order. */
function restoreBlock(document: PipelineDocument, id: string): Operation[] {
  const block = document.blocks[id];
  if (!block) return [];
  const operations: Operation[] = [
    {
      op: "add_block",
      id,
      type: block.type,
      params: block.params,
      position: document.layout.positions[id] ?? [0, 0],
      ...(block.label ? { label: block.label } : {}),
    },
  ];
  if (block.bypass) operations.push({ op: "bypass", id, value: true });
  const touched = new Set(wiresOfBlock(document, id).map(([, to]) => to));
  for (const to of touched) {
    const isGone = (wire: Wire) => splitAddress(wire[0]).block === id || splitAddress(wire[1]).block === id;
    operations.push(...reorder(wiresInto(document, to), isGone));
  }
  return operations;
}

/** Bring the wires into `to` back to what `document` has, given that only the wire from `from` differs. */
function restoreWires(document: PipelineDocument, to: string, from: string): Operation[] {
  const before = wiresInto(document, to);
  if (before.some((wire) => isWire(wire, from, to))) return reorder(before, (wire) => isWire(wire, from, to));
  return [{ op: "disconnect", from, to }, ...before.map(connectWire)];
}

/** Connect what is gone and, as order into a list has a meaning, put what stood behind it behind it again. */
function reorder(wires: readonly Wire[], isGone: (wire: Wire) => boolean): Operation[] {
  const behind = wires.slice(wires.findIndex(isGone));
  return [
    ...behind
      .filter((wire) => !isGone(wire))
      .map((wire): Operation => ({ op: "disconnect", from: wire[0], to: wire[1] })),
    ...behind.map(connectWire),
  ];
}

function restoreParam(document: PipelineDocument, id: string, name: string): Operation {
  const params = document.blocks[id]?.params ?? {};
  return name in params ? { op: "set_param", id, name, value: params[name] } : { op: "reset_param", id, name };
}

function restoreNote(document: PipelineDocument, id: string): Operation {
  const note = document.layout.notes.find((other) => other.id === id);
  return note ? { op: "set_note", ...note } : { op: "remove_note", id };
}

function knownPositions(
  document: PipelineDocument,
  positions: Extract<Operation, { op: "move" }>["positions"],
): Record<string, readonly [number, number]> {
  const known: Record<string, readonly [number, number]> = {};
  for (const id of Object.keys(positions)) {
    const before = document.layout.positions[id];
    if (before) known[id] = before;
  }
  return known;
}

const connectWire = (wire: Wire): Operation => ({ op: "connect", from: wire[0], to: wire[1] });
