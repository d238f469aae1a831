/**
 * What a card shows about the run: one small value per block, so that a card redraws only when its own changes.
 *
 * Reads the run's block states and the server's plan ("would be cached, because..."); knows no events.
 */
import { ancestors, descendants } from "./document";
import type { Message, PipelineDocument } from "./types";

export type CardState = "idle" | "waiting" | "running" | "done" | "cached" | "failed" | "skipped" | "cancelled";

interface BlockLike {
  readonly state: Exclude<CardState, "idle" | "cancelled">;
  readonly error?: { readonly kind: string } | null;
}

/** How a block stands: one that ended because somebody cancelled the run did not fail. */
export function cardState(block: BlockLike | undefined): CardState {
  if (!block) return "idle";
  return block.state === "failed" && block.error?.kind === "cancelled" ? "cancelled" : block.state;
}

export interface ReasonLike {
  readonly template: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** The two answers of `POST /pipelines/{id}/plan` for a block, and "unknown". */
export interface PlannedBlock {
  readonly state: "cached" | "will_run" | "unknown";
  readonly reason?: ReasonLike | null;
}

export interface Badge {
  readonly kind: "cached" | "will_run";
  readonly reason: Message | null;
}

export function badgeOf(planned: PlannedBlock | undefined, bypassed: boolean): Badge | null {
  if (!planned || planned.state === "unknown" || bypassed) return null;
  return { kind: planned.state, reason: planned.reason ? asMessage(planned.reason) : null };
}

/** Values of a server message as text and numbers: what a template can show. */
export function asMessage(reason: ReasonLike): Message {
  const values: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(reason.values))
    values[name] = typeof value === "string" || typeof value === "number" ? value : JSON.stringify(value);
  return { template: reason.template, values };
}

/** Share of a progress, 0 to 1; null when unknown. */
export function shareOf(progress: { done: number; total: number } | null | undefined): number | null {
  if (!progress || progress.total <= 0) return null;
  return Math.min(1, Math.max(0, progress.done / progress.total));
}

/** What "run to here" computes: the block and all it needs. */
export const runToHere = (document: PipelineDocument, id: string): string[] => [...ancestors(document, id), id];

/** What "run from here" computes again: the block and all that needs it. */
export const runFromHere = (document: PipelineDocument, id: string): string[] => [id, ...descendants(document, id)];

const METRIC_ORDER = ["accuracy", "validation_accuracy", "r2", "speed_up", "shrunk", "loss", "validation_loss"];

/** The one or two metrics worth a place on a card: the best known first. */
export function headlineMetrics(
  metrics: Readonly<Record<string, number>> | undefined,
): [name: string, value: number][] {
  const entries = Object.entries(metrics ?? {}).filter(([name]) => !name.startsWith("suggested_"));
  const rank = (name: string) => {
    const index = METRIC_ORDER.indexOf(name);
    return index < 0 ? METRIC_ORDER.length : index;
  };
  return entries.sort((a, b) => rank(a[0]) - rank(b[0])).slice(0, 2);
}
