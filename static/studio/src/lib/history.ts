/** What happened in a run before the page was opened, read page by page from its stored events. */
import { useEffect, useMemo, useState } from "react";
import { api, query } from "./api";
import { type Decision, decisionOf, MAX_DECISIONS, mergeDecisions } from "./decisions";
import type { RunEvent } from "./runTypes";
import type { Items } from "./types";

const PAGE = 2000;
const MOST = 20_000;

/** Read all items of an address up to number `head`; `add` is called for each page. */
export async function readAll<T extends { seq: number }>(
  path: string,
  head: number,
  add: (items: T[]) => void,
  gone: () => boolean,
  most = MOST,
) {
  let after = 0;
  for (let read = 0; read < most && after < head; ) {
    const { items } = await api.get<Items<T>>(
      `${path}${path.includes("?") ? "&" : "?"}${query({ after, limit: PAGE }).slice(1)}`,
    );
    if (gone() || items.length === 0) {
      return;
    }
    add(items);
    read += items.length;
    after = items[items.length - 1]!.seq;
  }
}

/** The decisions of a run from its first event, joined to those that came since; `null` reads nothing. */
export function useDecisions(
  runId: string | null,
  head: number,
  live: readonly Decision[],
): { decisions: readonly Decision[]; error: Error | null } {
  const [stored, setStored] = useState<readonly Decision[]>([]);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    setStored([]);
    setError(null);
    if (!runId) {
      return;
    }
    let gone = false;
    readAll<RunEvent>(
      `/runs/${runId}/events?types=decision`,
      head,
      (items) =>
        setStored((all) =>
          mergeDecisions(
            all,
            items.flatMap((event) => decisionOf(event) ?? []),
          ),
        ),
      () => gone,
      MAX_DECISIONS,
    ).catch((reason: unknown) => setError(reason instanceof Error ? reason : new Error(String(reason))));
    return () => {
      gone = true;
    };
  }, [runId, head]);
  return { decisions: useMemo(() => mergeDecisions(stored, live), [stored, live]), error };
}
