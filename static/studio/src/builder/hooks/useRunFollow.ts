/** Keeps the run on the cards: finds the newest run of the pipeline, follows it live, and asks what a next run would do. */
import { useEffect, useRef } from "react";
import { api } from "../../lib/api";
import { decodeFloat64 } from "../../lib/binary";
import { type RunState, useRun } from "../../lib/live";
import type { RunSummary, SeriesJson } from "../../lib/runTypes";
import type { Items } from "../../lib/types";
import { useBuilder, useBuilderState } from "../store/context";
import { askPlan, viewOfRun } from "../store/runs";
import type { BuilderStore } from "../store/state";

const PLAN_AFTER_MS = 400;
const CURVE_POINTS = 120;

export function useRunFollow(): void {
  const { store } = useBuilder();
  const runId = useBuilderState((state) => state.run?.id ?? null);
  const { state } = useRun(runId);
  useNewestRun(store);
  usePlan(store);

  useEffect(() => {
    if (state) showRun(store, state);
  }, [store, state]);

  useEffect(() => {
    if (runId) void loadCurves(store, runId);
  }, [store, runId]);
}

function showRun(store: BuilderStore, state: RunState): void {
  const before = store.getState().run;
  if (before?.id !== state.run.id) return;
  store.setState({
    run: viewOfRun(state.run, {
      tails: state.tails,
      decisions: state.decisions,
      curves: before.curves,
      cancelRequested: state.cancelRequested || before.cancelRequested,
    }),
  });
}

/** After opening or reloading the page: the newest run of this pipeline, whoever started it. */
function useNewestRun(store: BuilderStore): void {
  useEffect(() => {
    const { projectId, pipelineId } = store.getState();
    let current = true;
    api.get<Items<RunSummary>>(`/projects/${projectId}/runs?sort=-created&limit=50`).then(
      async ({ items }) => {
        const newest = items.find((run) => run.pipeline === pipelineId);
        if (!newest || !current || store.getState().run) return;
        const run = await api.get<RunState["run"]>(`/runs/${newest.id}`);
        if (current && !store.getState().run) store.setState({ run: viewOfRun(run) });
      },
      () => {},
    );
    return () => {
      current = false;
    };
  }, [store]);
}

/** Points from before the page was opened, for the curve on each training card. */
async function loadCurves(store: BuilderStore, runId: string): Promise<void> {
  const run = store.getState().run;
  const names = Object.keys(run?.blocks ?? {}).map((block) => `${block}.loss`);
  if (names.length === 0) return;
  try {
    const path = `/runs/${runId}/series?names=${encodeURIComponent(names.join(","))}&points=${CURVE_POINTS}`;
    const { series } = await api.get<{ series: Record<string, SeriesJson> }>(path);
    const curves = Object.fromEntries(
      Object.entries(series)
        .filter(([, one]) => one.shown > 0)
        .map(([name, one]) => [name, decodeFloat64(one.last)]),
    );
    const now = store.getState().run;
    if (now?.id === runId) store.setState({ run: { ...now, curves } });
  } catch {
    // The curve is an extra: the run page shows it in full.
  }
}

/** Ask again what would run, shortly after each save and at the end of each run. */
function usePlan(store: BuilderStore): void {
  const version = useBuilderState((state) => state.sync.version);
  const status = useBuilderState((state) => state.run?.status ?? null);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new version or a run's end is the reason to ask
  useEffect(() => {
    if (timer.current) clearTimeout(timer.current);
    timer.current = setTimeout(() => void askPlan(store), PLAN_AFTER_MS);
    return () => {
      if (timer.current) clearTimeout(timer.current);
    };
  }, [store, version, status]);
}
