/**
 * Which port fits which: the one rule behind lit ports, refused wires, "connect to..." and the add search.
 */
import { ancestors, descendants, splitAddress } from "./document";
import {
  type BlockSpec,
  type Catalog,
  type InputPort,
  type Message,
  message,
  type OutputPort,
  type PipelineDocument,
} from "./types";

export type Direction = "input" | "output";

export interface PortRef {
  readonly address: string;
  readonly direction: Direction;
}

export function specOf(document: PipelineDocument, catalog: Catalog, id: string): BlockSpec | undefined {
  const type = document.blocks[id]?.type;
  return type === undefined ? undefined : catalog.blocks[type];
}

export function outputAt(document: PipelineDocument, catalog: Catalog, address: string): OutputPort | undefined {
  const { block, port } = splitAddress(address);
  return specOf(document, catalog, block)?.outputs.find((output) => output.name === port);
}

export function inputAt(document: PipelineDocument, catalog: Catalog, address: string): InputPort | undefined {
  const { block, port } = splitAddress(address);
  return specOf(document, catalog, block)?.inputs.find((input) => input.name === port);
}

/** An output of a kind fits an input when one of the input's kinds is that kind or an ancestor of it. */
export function kindFits(catalog: Catalog, kind: string, input: InputPort): boolean {
  const family = catalog.kinds[kind] ?? [kind];
  return input.kinds.some((wanted) => family.includes(wanted));
}

/** Why `from` cannot be wired to `to`; null when it can. */
export function connectionProblem(
  document: PipelineDocument,
  catalog: Catalog,
  from: string,
  to: string,
): Message | null {
  const output = outputAt(document, catalog, from);
  const input = inputAt(document, catalog, to);
  if (!output) return message("There is no output {port}", { port: from });
  if (!input) return message("There is no input {port}", { port: to });
  const source = splitAddress(from).block;
  const target = splitAddress(to).block;
  if (source === target) return message("A block cannot feed itself");
  if (!kindFits(catalog, output.kind, input))
    return message("{output} gives {given}, but {input} takes {taken}", {
      output: from,
      given: output.kind,
      input: to,
      taken: input.kinds.join(", "),
    });
  if (ancestors(document, source).has(target))
    return message("This wire would close a circle: {source} already needs {target}", {
      source,
      target,
    });
  return null;
}

/** Every port that a wire from `port` may end at, as addresses. */
export function compatiblePorts(document: PipelineDocument, catalog: Catalog, port: PortRef): Set<string> {
  const fits = new Set<string>();
  const start = splitAddress(port.address).block;
  const output = port.direction === "output";
  const closesLoop = output ? ancestors(document, start) : descendants(document, start);
  for (const id of Object.keys(document.blocks)) {
    if (id === start || closesLoop.has(id)) continue;
    const spec = specOf(document, catalog, id);
    for (const other of (output ? spec?.inputs : spec?.outputs) ?? []) {
      const address = `${id}.${other.name}`;
      if (fitsKinds(document, catalog, port, address)) fits.add(address);
    }
  }
  return fits;
}

function fitsKinds(document: PipelineDocument, catalog: Catalog, port: PortRef, other: string): boolean {
  const from = port.direction === "output" ? port.address : other;
  const to = port.direction === "output" ? other : port.address;
  const output = outputAt(document, catalog, from);
  const input = inputAt(document, catalog, to);
  return Boolean(output && input && kindFits(catalog, output.kind, input));
}

/** The port of a block of `spec` that a wire dropped from `port` would use; null when none fits. */
export function fittingPort(
  document: PipelineDocument,
  catalog: Catalog,
  spec: BlockSpec,
  port: PortRef,
): string | null {
  if (port.direction === "output") {
    const output = outputAt(document, catalog, port.address);
    const fits = (input: InputPort) => output && kindFits(catalog, output.kind, input);
    const required = spec.inputs.find((input) => !input.optional && fits(input));
    return (required ?? spec.inputs.find(fits))?.name ?? null;
  }
  const input = inputAt(document, catalog, port.address);
  return spec.outputs.find((output) => input && kindFits(catalog, output.kind, input))?.name ?? null;
}
