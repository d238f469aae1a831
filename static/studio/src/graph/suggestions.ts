/**
 * Values that a block's result suggests for a parameter of other blocks.
 *
 * A metric named `suggested_<parameter>` is such a value: the learning-rate finder's, for one. It is offered for the
 * blocks that have the parameter and work on the same things: those that follow, or that share an input.
 */
import { descendants, splitAddress } from "./document";
import type { Catalog, Operation, PipelineDocument } from "./types";

const PREFIX = "suggested_";

export interface Suggestion {
  readonly param: string;
  readonly value: number;
  /** Blocks that it can be used in; empty when there is none yet. */
  readonly targets: readonly string[];
}

/** The suggestions among a block's metrics, to three digits. */
export function suggestedValues(
  metrics: Readonly<Record<string, number>> | undefined,
): [param: string, value: number][] {
  return Object.entries(metrics ?? {}).flatMap(([name, value]) =>
    name.startsWith(PREFIX) && Number.isFinite(value)
      ? [[name.slice(PREFIX.length), Number(value.toPrecision(3))] as [string, number]]
      : [],
  );
}

/** Which blocks of a document a suggestion of `id` is for. */
export function targetsOf(document: PipelineDocument, catalog: Catalog, id: string, param: string): string[] {
  const able = Object.keys(document.blocks).filter((block) => {
    const properties = catalog.blocks[document.blocks[block]?.type ?? ""]?.params.schema.properties ?? {};
    return block !== id && param in properties;
  });
  const sources = sourcesOf(document, id);
  const after = descendants(document, id);
  return able.filter((block) => after.has(block) || [...sourcesOf(document, block)].some((one) => sources.has(one)));
}

const sourcesOf = (document: PipelineDocument, id: string): Set<string> =>
  new Set(document.wires.filter(([, to]) => splitAddress(to).block === id).map(([from]) => from));

export const suggestionOperation = (block: string, param: string, value: number): Operation => ({
  op: "set_param",
  id: block,
  name: param,
  value,
});
