/**
 * A window on a long list of runs: pages of a hundred, read when they scroll into view.
 *
 * Filters and order are the server's; what was read stays on screen while a newer answer is on its way.
 */
import { useCallback, useEffect, useRef, useState } from "react";
import { api, query } from "../../lib/api";
import type { RunSummary } from "../../lib/runTypes";
import type { Items } from "../../lib/types";

export const PAGE = 100;

export interface RunFilters {
  q: string;
  status: string;
  tag: string;
  sort: string;
  columns: string;
}

export interface RunPages {
  total: number | null;
  row: (index: number) => RunSummary | undefined;
  /** Make sure that these rows are there or on their way. */
  ensure: (first: number, last: number) => void;
  error: Error | null;
  reload: () => void;
  loaded: RunSummary[];
}

interface Held {
  key: string;
  total: number | null;
  pages: Map<number, RunSummary[]>;
}

export function useRunPages(projectId: string, filters: RunFilters): RunPages {
  const key = query({ ...filters });
  const [held, setHeld] = useState<Held>({ key, total: null, pages: new Map() });
  const [error, setError] = useState<Error | null>(null);
  const asked = useRef(new Map<string, AbortController>());
  const visible = useRef<[number, number]>([0, 0]);
  const current = useRef(key);
  current.current = key;

  const read = useCallback(
    (page: number, again: boolean) => {
      const mark = `${page}${key}`;
      if (asked.current.has(mark) && !again) {
        return;
      }
      asked.current.get(mark)?.abort();
      const abort = new AbortController();
      asked.current.set(mark, abort);
      const path = `/projects/${projectId}/runs${query({ ...filters, limit: PAGE, offset: page * PAGE })}`;
      api.get<Items<RunSummary>>(path, abort.signal).then(
        ({ items, total }) => {
          if (current.current !== key) {
            return;
          }
          setError(null);
          setHeld((before) => {
            const pages = new Map(before.key === key ? before.pages : []);
            pages.set(page, items);
            return { key, total, pages };
          });
        },
        (reason: unknown) => {
          asked.current.delete(mark);
          if (!abort.signal.aborted) {
            setError(reason instanceof Error ? reason : new Error(String(reason)));
          }
        },
      );
    },
    [projectId, key, filters],
  );

  useEffect(() => {
    for (const abort of asked.current.values()) {
      abort.abort();
    }
    asked.current.clear();
    visible.current = [0, 0];
    read(0, false);
  }, [read]);

  const ensure = useCallback(
    (first: number, last: number) => {
      visible.current = [Math.floor(first / PAGE), Math.floor(last / PAGE)];
      for (let page = visible.current[0]; page <= visible.current[1]; page += 1) {
        read(page, false);
      }
    },
    [read],
  );

  const reload = useCallback(() => {
    const [first, last] = visible.current;
    for (const mark of [...asked.current.keys()]) {
      const page = Number.parseInt(mark, 10);
      if (page < first || page > last) {
        asked.current.delete(mark);
      }
    }
    for (let page = first; page <= last; page += 1) {
      read(page, true);
    }
  }, [read]);

  const row = useCallback((index: number) => held.pages.get(Math.floor(index / PAGE))?.[index % PAGE], [held]);
  return { total: held.total, row, ensure, error, reload, loaded: held.pages.get(0) ?? [] };
}
