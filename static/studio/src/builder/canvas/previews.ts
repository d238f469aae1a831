/** Previews by digest. An artifact never changes, so each is fetched once; the oldest are forgotten. */
import { api } from "../../lib/api";
import type { Preview } from "../../lib/types";

const MAX_KEPT = 300;
const kept = new Map<string, Promise<Preview | null>>();

/** The preview of an artifact; null when it has none or cannot be read. */
export function loadPreview(workspaceId: string, digest: string): Promise<Preview | null> {
  const key = `${workspaceId}/${digest}`;
  const known = kept.get(key);
  if (known) return known;
  const loading = api.get<Preview>(`/workspaces/${workspaceId}/artifacts/${digest}/files/preview.json`).catch(() => {
    kept.delete(key);
    return null;
  });
  kept.set(key, loading);
  const oldest = kept.keys().next().value;
  if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
  return loading;
}
