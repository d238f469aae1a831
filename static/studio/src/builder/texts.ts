/** Texts of blocks and problems in the language of the page. */
import { titleOf } from "../graph/names";
import type { BlockEntry, BlockSpec, Message, Problem } from "../graph/types";
import { t } from "../i18n";

export const tMessage = (message: Message): string => t(message.template, message.values);

export const specTitle = (spec: BlockSpec | undefined, type: string): string => (spec ? t(spec.title) : type);

export function blockTitle(block: BlockEntry, spec: BlockSpec | undefined): string {
  return block.label ?? (spec ? t(spec.title) : titleOf(block, spec));
}

export const problemHint = (problem: Problem & { hint_template?: string | null }): string | null =>
  problem.hint ? t(problem.hint_template ?? problem.hint, problem.values) : null;

/** A port or parameter name as words. */
export const words = (name: string): string => name.replaceAll("_", " ");
