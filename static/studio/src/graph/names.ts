/**
 * Names of new blocks: short ids that read well in metric addresses (`train.loss`) and never collide.
 */
import { BLOCK_ID } from "./document";
import type { BlockEntry, BlockSpec } from "./types";

/** Categories in which every block does another job; elsewhere a pipeline rarely holds two, so the category names it. */
const NAMED_BY_BLOCK = new Set(["data", "code"]);

/** An unused id for a new block of a type, such as `split`, `train` or `train_2`. */
export function freshId(type: string, taken: Iterable<string>): string {
  const [category = "block", ...rest] = type.split(".");
  const last = rest.at(-1) ?? category;
  const wanted = NAMED_BY_BLOCK.has(category) ? last : category;
  return withoutCollision(BLOCK_ID.test(wanted) ? wanted : "block", new Set(taken));
}

/** `wanted`, or `wanted_2`, `wanted_3`, ... */
export function withoutCollision(wanted: string, taken: ReadonlySet<string>): string {
  if (!taken.has(wanted)) return wanted;
  const stem = wanted.replace(/_\d+$/, "");
  for (let number = 2; ; number += 1) {
    const candidate = `${stem}_${number}`;
    if (!taken.has(candidate)) return candidate;
  }
}

/** A block id made from what a person typed, or null when nothing usable is left. */
export function idFromText(text: string): string | null {
  const id = text
    .trim()
    .toLowerCase()
    .replaceAll(/[^a-z0-9_]+/g, "_")
    .replaceAll(/^[^a-z]+|_+$/g, "")
    .slice(0, 64);
  return BLOCK_ID.test(id) ? id : null;
}

/** The title on the card, untranslated: the person's own label, else the catalog's title. */
export function titleOf(block: BlockEntry, spec: BlockSpec | undefined): string {
  return block.label ?? spec?.title ?? block.type;
}
