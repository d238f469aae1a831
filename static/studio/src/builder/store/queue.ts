/**
 * Edits that the server has not confirmed, kept in the browser's storage until it has.
 *
 * Each tab writes its own entry with a heartbeat; a tab that finds an entry without a heartbeat (its tab was closed or
 * crashed) takes it over. Sending twice is harmless: the server knows every `op_id`.
 */
import type { Batch } from "../../graph/sync";

const PREFIX = "deepseek.edits";
const STALE_AFTER_MS = 6000;
export const HEARTBEAT_MS = 2000;

interface Entry {
  readonly beat: number;
  readonly pending: readonly Batch[];
}

const keyOf = (pipelineId: string, tab: string): string => `${PREFIX}.${pipelineId}.${tab}`;

function read(storage: Storage, key: string): Entry | null {
  try {
    const entry = JSON.parse(storage.getItem(key) ?? "null") as Entry | null;
    return entry && Array.isArray(entry.pending) ? entry : null;
  } catch {
    return null;
  }
}

/** Returns false when the browser's storage is full or forbidden. */
export function keepPending(
  storage: Storage,
  pipelineId: string,
  tab: string,
  pending: readonly Batch[],
  now_ms = Date.now(),
): boolean {
  const key = keyOf(pipelineId, tab);
  try {
    if (pending.length === 0) storage.removeItem(key);
    else storage.setItem(key, JSON.stringify({ beat: now_ms, pending } satisfies Entry));
    return true;
  } catch {
    return false;
  }
}

/** Take over what closed tabs left behind, oldest first. `own` is a tab id that is certainly ours (a reload). */
export function adoptPending(storage: Storage, pipelineId: string, own: string | null, now_ms = Date.now()): Batch[] {
  const prefix = keyOf(pipelineId, "");
  const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "").filter((key) =>
    key.startsWith(prefix),
  );
  const adopted = keys
    .map((key) => ({ key, entry: read(storage, key) }))
    .filter(({ key, entry }) => !entry || key === `${prefix}${own}` || now_ms - entry.beat > STALE_AFTER_MS)
    .sort((a, b) => (a.entry?.beat ?? 0) - (b.entry?.beat ?? 0));
  for (const { key } of adopted) storage.removeItem(key);
  // What came from another tab may be on its way already, so its ids and contents stay as they are.
  const batches = adopted.flatMap(({ entry }) => entry?.pending ?? []).map((batch) => ({ ...batch, sent: true }));
  return [...new Map(batches.map((batch) => [batch.opId, batch])).values()];
}

const TAB_KEY = "deepseek.tab";

/** A new id for this tab, and the id it had before it was reloaded. */
export function tabIdentity(storage: Storage, reloaded: boolean): { tab: string; previous: string | null } {
  const previous = reloaded ? storage.getItem(TAB_KEY) : null;
  const tab = Math.random().toString(36).slice(2, 12);
  storage.setItem(TAB_KEY, tab);
  return { tab, previous };
}
