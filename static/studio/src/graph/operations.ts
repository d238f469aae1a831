/**
 * The closed set of edits, applied to a document (`inverse.ts` finds the edits that take them back).
 *
 * The server applies the same set with the same rules (`POST /pipelines/{id}/operations`); nothing in the builder
 * changes a document in any other way. A refused edit throws `OperationError` and changes nothing.
 */
import { connectionProblem } from "./connections";
import { BLOCK_ID, splitAddress } from "./document";
import {
  type BlockEntry,
  type Catalog,
  type Message,
  message,
  type Note,
  type Operation,
  type PipelineDocument,
  type Wire,
} from "./types";

export class OperationError extends Error {
  readonly problem: Message;

  constructor(template: string, values: Message["values"] = {}) {
    super(template);
    this.name = "OperationError";
    this.problem = message(template, values);
  }
}

/** Apply all operations, or throw and apply none. */
export function applyAll(
  document: PipelineDocument,
  operations: readonly Operation[],
  catalog: Catalog,
): PipelineDocument {
  return operations.reduce((current, operation) => apply(current, operation, catalog), document);
}

export function apply(document: PipelineDocument, operation: Operation, catalog: Catalog): PipelineDocument {
  switch (operation.op) {
    case "add_block":
      return addBlock(document, operation, catalog);
    case "remove_block":
      return removeBlock(document, operation.id);
    case "set_param":
      return editBlock(document, operation.id, (block) => ({
        ...block,
        params: { ...block.params, [operation.name]: operation.value },
      }));
    case "reset_param":
      return editBlock(document, operation.id, (block) => ({
        ...block,
        params: without(block.params, operation.name),
      }));
    case "connect":
      return connect(document, operation.from, operation.to, catalog);
    case "disconnect":
      return {
        ...document,
        wires: document.wires.filter((wire) => !isWire(wire, operation.from, operation.to)),
      };
    case "rename":
      return editBlock(document, operation.id, (block) => withLabel(block, operation.label));
    case "rename_id":
      return renameId(document, operation.id, operation.new_id);
    case "bypass":
      return editBlock(document, operation.id, (block) => withBypass(block, operation.value));
    case "move":
      return move(document, operation.positions);
    case "set_seed":
      return { ...document, seed: operation.seed };
    case "set_name":
      return { ...document, name: operation.name };
    case "set_note":
      return setNote(document, operation);
    case "remove_note":
      return withNotes(
        document,
        document.layout.notes.filter((note) => note.id !== operation.id),
      );
  }
}

function addBlock(
  document: PipelineDocument,
  operation: Extract<Operation, { op: "add_block" }>,
  catalog: Catalog,
): PipelineDocument {
  const { id, type, params, position, label } = operation;
  if (!BLOCK_ID.test(id)) throw new OperationError("{id} is not a block id", { id });
  if (document.blocks[id]) throw new OperationError("There is already a block {id}", { id });
  if (!catalog.blocks[type]) throw new OperationError("There is no block {type}", { type });
  return {
    ...document,
    blocks: { ...document.blocks, [id]: withLabel({ type, params }, label ?? null) },
    layout: {
      ...document.layout,
      positions: { ...document.layout.positions, [id]: position },
    },
  };
}

function removeBlock(document: PipelineDocument, id: string): PipelineDocument {
  requireBlock(document, id);
  return {
    ...document,
    blocks: without(document.blocks, id),
    wires: document.wires.filter(([from, to]) => splitAddress(from).block !== id && splitAddress(to).block !== id),
    layout: { ...document.layout, positions: without(document.layout.positions, id) },
  };
}

function connect(document: PipelineDocument, from: string, to: string, catalog: Catalog): PipelineDocument {
  const problem = connectionProblem(document, catalog, from, to);
  if (problem) throw new OperationError(problem.template, problem.values);
  if (document.wires.some((wire) => isWire(wire, from, to))) return document;
  const { block, port } = splitAddress(to);
  const spec = catalog.blocks[document.blocks[block]?.type ?? ""];
  const many = spec?.inputs.find((input) => input.name === port)?.many === true;
  const kept = many ? document.wires : document.wires.filter((wire) => wire[1] !== to);
  return { ...document, wires: [...kept, [from, to]] };
}

function renameId(document: PipelineDocument, id: string, newId: string): PipelineDocument {
  requireBlock(document, id);
  if (id === newId) return document;
  if (!BLOCK_ID.test(newId)) throw new OperationError("{id} is not a block id", { id: newId });
  if (document.blocks[newId]) throw new OperationError("There is already a block {id}", { id: newId });
  const swap = (key: string) => (key === id ? newId : key);
  const address = (text: string) => {
    const { block, port } = splitAddress(text);
    return block === id ? `${newId}.${port}` : text;
  };
  return {
    ...document,
    blocks: mapKeys(document.blocks, swap),
    wires: document.wires.map(([from, to]): Wire => [address(from), address(to)]),
    layout: { ...document.layout, positions: mapKeys(document.layout.positions, swap) },
  };
}

function move(document: PipelineDocument, moved: Extract<Operation, { op: "move" }>["positions"]): PipelineDocument {
  const known = Object.entries(moved).filter(([id]) => document.blocks[id]);
  if (known.length === 0) return document;
  const positions = { ...document.layout.positions, ...Object.fromEntries(known) };
  return { ...document, layout: { ...document.layout, positions } };
}

function setNote(document: PipelineDocument, operation: Extract<Operation, { op: "set_note" }>): PipelineDocument {
  const { op: _op, ...note } = operation;
  const others = document.layout.notes.filter((other) => other.id !== note.id);
  return withNotes(document, [...others, note]);
}

export const isWire = (wire: Wire, from: string, to: string): boolean => wire[0] === from && wire[1] === to;

function requireBlock(document: PipelineDocument, id: string): BlockEntry {
  const block = document.blocks[id];
  if (!block) throw new OperationError("There is no block {id}", { id });
  return block;
}

function editBlock(
  document: PipelineDocument,
  id: string,
  change: (block: BlockEntry) => BlockEntry,
): PipelineDocument {
  const block = requireBlock(document, id);
  return { ...document, blocks: { ...document.blocks, [id]: change(block) } };
}

function withLabel(block: BlockEntry, label: string | null): BlockEntry {
  const { label: _old, ...rest } = block;
  return label ? { ...rest, label } : rest;
}

function withBypass(block: BlockEntry, value: boolean): BlockEntry {
  const { bypass: _old, ...rest } = block;
  return value ? { ...rest, bypass: true } : rest;
}

const withNotes = (document: PipelineDocument, notes: readonly Note[]): PipelineDocument => ({
  ...document,
  layout: { ...document.layout, notes },
});

function without<T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> {
  const { [key]: _gone, ...rest } = record;
  return rest;
}

function mapKeys<T>(record: Readonly<Record<string, T>>, rename: (key: string) => string): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [rename(key), value]));
}
