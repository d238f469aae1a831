/**
 * Finding blocks of the catalog by typing, optionally only those that fit a port.
 */
import { fittingPort, type PortRef } from "./connections";
import type { BlockSpec, Catalog, PipelineDocument } from "./types";

export interface SearchHit {
  readonly spec: BlockSpec;
  /** The port that the dropped wire would use; null without a wire. */
  readonly port: string | null;
}

/** A block's texts in the language of the page. */
export interface BlockWords {
  readonly title: string;
  readonly summary: string;
}

/** Blocks whose words contain every typed word, best first: in the title counts more than in the summary. */
export function searchBlocks(
  catalog: Catalog,
  query: string,
  words: (spec: BlockSpec) => BlockWords,
  fit?: { readonly document: PipelineDocument; readonly port: PortRef } | null,
): SearchHit[] {
  const typed = query.trim().toLowerCase().split(/\s+/).filter(Boolean);
  const hits: { hit: SearchHit; score: number }[] = [];
  for (const spec of Object.values(catalog.blocks)) {
    if (spec.hidden) continue;
    const port = fit ? fittingPort(fit.document, catalog, spec, fit.port) : null;
    if (fit && port === null) continue;
    const score = scoreOf(spec, words(spec), typed);
    if (score > 0) hits.push({ hit: { spec, port }, score });
  }
  const order = new Map(catalog.categories.map((category, index) => [category.id, index]));
  const categoryRank = (hit: SearchHit) => order.get(hit.spec.category) ?? order.size;
  return hits.sort((a, b) => b.score - a.score || categoryRank(a.hit) - categoryRank(b.hit)).map(({ hit }) => hit);
}

function scoreOf(spec: BlockSpec, words: BlockWords, typed: readonly string[]): number {
  const titles = `${words.title} ${spec.title} ${spec.id}`.toLowerCase();
  const everything = `${titles} ${words.summary} ${spec.summary}`.toLowerCase();
  const parts = titles.split(/[\s._-]+/);
  let score = 1;
  for (const word of typed) {
    if (!everything.includes(word)) return 0;
    if (parts.some((part) => part.startsWith(word))) score += 4;
    else if (titles.includes(word)) score += 2;
  }
  return score;
}
