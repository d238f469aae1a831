/**
 * The points of one metric for one or many runs: history from the server's pyramid, tails from the socket.
 *
 * Reads as many points as the chart has use for; zooming reads the visible range finer; a long tail makes
 * it read again, so that the browser never holds more than a few thousand points of a live curve.
 */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api, query } from "../lib/api";
import type { SeriesJson } from "../lib/runTypes";
import type { Tail } from "../lib/tail";
import { decodeSeries, joinTail, type Series, splice } from "./curves";

export type SeriesByRun = Record<string, Series>;

export interface SeriesRequest {
  projectId: string;
  runIds: readonly string[];
  name: string;
  points: number;
  range: [number, number] | null;
}

type OverlayAnswer = { runs: Record<string, Record<string, SeriesJson>> };
type RunAnswer = { series: Record<string, SeriesJson> };

/** Read a metric of some runs, decimated by the server to `points` each. */
export async function fetchSeries(request: SeriesRequest, signal?: AbortSignal): Promise<SeriesByRun> {
  const { projectId, runIds, name, points, range } = request;
  const common = { names: name, points, x0: range?.[0], x1: range?.[1] };
  if (runIds.length === 1) {
    const id = runIds[0]!;
    const answer = await api.get<RunAnswer>(`/runs/${id}/series${query(common)}`, signal);
    const found = answer.series[name];
    return found ? { [id]: decodeSeries(found) } : {};
  }
  const path = `/projects/${projectId}/series${query({ ...common, runs: runIds.join(",") })}`;
  const answer = await api.get<OverlayAnswer>(path, signal);
  return Object.fromEntries(
    Object.entries(answer.runs).flatMap(([run, byName]) => {
      const found = byName[name];
      return found ? [[run, decodeSeries(found)]] : [];
    }),
  );
}

const REFRESH_TAIL_POINTS = 3000;
export const DEFAULT_POINTS = 1000;
/** Beside others a curve gets about as many points as its card has pixels. */
const OVERLAID_POINTS = 400;
const OVERLAID_FROM = 4;

export interface LoadedSeries {
  series: SeriesByRun;
  loading: boolean;
  error: Error | null;
  retry: () => void;
  /** Read every point of what is shown. */
  showAll: () => void;
  zoom: (range: [number, number] | null) => void;
  zoomed: boolean;
}

export function useSeries(
  projectId: string,
  runIds: readonly string[],
  name: string,
  tails: Readonly<Record<string, Tail | undefined>>,
  enabled: boolean,
): LoadedSeries {
  const [base, setBase] = useState<SeriesByRun | null>(null);
  const [fine, setFine] = useState<SeriesByRun>({});
  const [error, setError] = useState<Error | null>(null);
  const [range, setRange] = useState<[number, number] | null>(null);
  const [points, setPoints] = useState(runIds.length >= OVERLAID_FROM ? OVERLAID_POINTS : DEFAULT_POINTS);
  const [generation, setGeneration] = useState(0);
  const key = runIds.join(",");
  const tailsNow = useRef(tails);
  tailsNow.current = tails;

  // biome-ignore lint/correctness/useExhaustiveDependencies: `generation` asks for a fresh read
  useEffect(() => {
    if (!enabled || !key) {
      return;
    }
    const abort = new AbortController();
    const request = { projectId, runIds: key.split(","), name, points, range };
    fetchSeries(request, abort.signal).then(
      (series) => {
        if (range) {
          setFine(series);
        } else {
          setBase(series);
          setFine({});
        }
        setError(null);
      },
      (reason: unknown) => {
        if (!abort.signal.aborted) {
          setError(reason instanceof Error ? reason : new Error(String(reason)));
        }
      },
    );
    return () => abort.abort();
  }, [projectId, key, name, points, range, generation, enabled]);

  const series = useMemo(() => {
    const ids = key ? key.split(",") : [];
    return Object.fromEntries(
      ids.flatMap((id) => {
        const joined = splice(joinTail(base?.[id], tails[id]), fine[id]);
        return joined && joined.steps.length > 0 ? [[id, joined]] : [];
      }),
    );
  }, [base, fine, tails, key]);

  const behind = useMemo(
    () =>
      Object.entries(tails).some(([id, tail]) => {
        const steps = base?.[id]?.steps;
        const from = steps && steps.length > 0 ? steps[steps.length - 1]! : -1;
        return tail !== undefined && tail.count > REFRESH_TAIL_POINTS && tail.lastStep - from > REFRESH_TAIL_POINTS;
      }),
    [tails, base],
  );
  useEffect(() => {
    if (behind && !range) {
      const timer = setTimeout(() => setGeneration((count) => count + 1), 2000);
      return () => clearTimeout(timer);
    }
  }, [behind, range]);

  const retry = useCallback(() => setGeneration((count) => count + 1), []);
  const total = Math.max(0, ...Object.values(series).map((one) => one.total));
  const showAll = useCallback(() => setPoints(Math.max(total, DEFAULT_POINTS)), [total]);
  return {
    series,
    loading: base === null && error === null,
    error,
    retry,
    showAll,
    zoom: setRange,
    zoomed: range !== null,
  };
}
