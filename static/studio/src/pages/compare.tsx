/** Several runs side by side at an address that stays: curves, differences, parallel coordinates, graphs. */
import { useEffect, useMemo, useState } from "react";
import {
  ChartCard,
  ChartOptionsBar,
  type ChartRun,
  CursorGroup,
  decodeSeries,
  loadPlotly,
  seriesToken,
  useChartOptions,
} from "../charts";
import { t, tn } from "../i18n";
import { ApiError, api } from "../lib/api";
import { SYSTEM_BLOCK } from "../lib/live";
import type { Run, SeriesJson } from "../lib/runTypes";
import type { PageProps } from "../lib/types";
import { urls } from "../lib/urls";
import { Button, EmptyState, ErrorState, LinkButton, LoadingState, Notice, useToast } from "../ui";
import { ConfigTable } from "./compare/ConfigTable";
import { GraphDifference } from "./compare/GraphDifference";
import { ParallelCoordinates } from "./compare/ParallelCoordinates";
import { PrecisionComparison } from "./compare/PrecisionComparison";
import { runTitle } from "./run/RunHeader";
import runStyles from "./run/run.module.css";
import { systemTitle } from "./run/SystemCharts";
import { metricOrder } from "./run/storedCurves";
import { configOf, configRows } from "./shared/documentDiff";

// Fetched beside the data, as on the run page.
void loadPlotly().catch(() => undefined);

function chosenIds(): string[] {
  const text = new URLSearchParams(window.location.search).get("runs") ?? "";
  return [...new Set(text.split(",").filter(Boolean))];
}

interface Answer {
  runs: Run[];
  missing: number;
  error: Error | null;
}

const AT_ONCE = 6;

/** The runs in the order of the address; what was deleted is counted, not fatal. */
function useRuns(ids: readonly string[]): Answer | null {
  const [answer, setAnswer] = useState<Answer | null>(null);
  const key = ids.join(",");
  useEffect(() => {
    let gone = false;
    const wanted = key.split(",").filter(Boolean);
    const found: (Run | null)[] = [];
    const read = async () => {
      for (let from = 0; from < wanted.length; from += AT_ONCE) {
        const part = wanted.slice(from, from + AT_ONCE).map((id) =>
          api.get<Run>(`/runs/${id}`).catch((reason: unknown) => {
            if (reason instanceof ApiError && reason.status === 404) {
              return null;
            }
            throw reason;
          }),
        );
        found.push(...(await Promise.all(part)));
      }
      const runs = found.filter((run) => run !== null);
      return { runs, missing: wanted.length - runs.length, error: null };
    };
    read().then(
      (value) => !gone && setAnswer(value),
      (reason: unknown) => !gone && setAnswer({ runs: [], missing: 0, error: reason as Error }),
    );
    return () => {
      gone = true;
    };
  }, [key]);
  return answer;
}

interface Curves {
  /** Of the curves that any of the runs has. */
  names: string[];
  /** Run -> block -> the last step of its longest curve. */
  lastSteps: Record<string, Record<string, number>>;
}

function useCurves(projectId: string, runs: readonly Run[]): Curves {
  const [curves, setCurves] = useState<Curves>({ names: [], lastSteps: {} });
  const key = runs.map((run) => run.id).join(",");
  useEffect(() => {
    if (!key) {
      return;
    }
    const abort = new AbortController();
    const path = `/projects/${projectId}/series?runs=${key}&points=2`;
    api.get<{ runs: Record<string, Record<string, SeriesJson>> }>(path, abort.signal).then(
      (answer) => {
        const all = Object.values(answer.runs).flatMap((byName) =>
          Object.keys(byName).filter((name) => byName[name]!.total > 0),
        );
        const last = Object.entries(answer.runs).map(([run, byName]) => [run, lastStepsOf(byName)] as const);
        setCurves({ names: [...new Set(all)].sort(metricOrder), lastSteps: Object.fromEntries(last) });
      },
      () => {
        // Each card reports its own error; without names there are no cards.
      },
    );
    return () => abort.abort();
  }, [projectId, key]);
  return curves;
}

function lastStepsOf(byName: Record<string, SeriesJson>): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, one] of Object.entries(byName)) {
    const block = name.split(".")[0]!;
    found[block] = Math.max(found[block] ?? 0, ...decodeSeries(one).steps);
  }
  return found;
}

export default function Compare({ project }: PageProps) {
  const projectId = project?.id ?? "";
  const ids = useMemo(chosenIds, []);
  const answer = useRuns(ids);
  if (answer?.error) {
    return <ErrorState error={answer.error} retry={() => window.location.reload()} />;
  }
  if (!answer) {
    return <LoadingState />;
  }
  if (answer.runs.length < 2) {
    return (
      <EmptyState
        icon="compare"
        title={t("Choose at least two runs")}
        actions={
          <LinkButton variant="primary" href={urls.runs(projectId)}>
            {t("Choose runs")}
          </LinkButton>
        }
      >
        {t("Select runs in the list and press Compare.")}
      </EmptyState>
    );
  }
  return <Comparison projectId={projectId} runs={answer.runs} missing={answer.missing} />;
}

function Comparison({ projectId, runs, missing }: { projectId: string; runs: Run[]; missing: number }) {
  const toast = useToast();
  const { names, lastSteps } = useCurves(projectId, runs);
  const [options, setOptions] = useChartOptions();
  const [onlyDifferences, setOnlyDifferences] = useState(true);
  const timed = useMemo(() => ({ ...options, axis: "relative" as const, xLog: false, smoothing: 0 }), [options]);
  const cursors = useMemo(() => new CursorGroup(), []);
  const chartRuns = useMemo<ChartRun[]>(
    () =>
      runs.map((run, index) => ({
        id: run.id,
        name: runTitle(run),
        color: seriesToken(index),
        start: Date.parse(run.started ?? run.created) / 1000,
        stepsPerEpoch: null,
      })),
    [runs],
  );
  const configs = useMemo(() => runs.map((run) => ({ ...configOf(run.document), ...run.config })), [runs]);
  const rows = useMemo(() => configRows(configs), [configs]);
  const metrics = useMemo(() => configRows(runs.map((run) => run.metrics)), [runs]);
  const heads = runs.map((run, index) => ({
    id: run.id,
    title: runTitle(run),
    color: seriesToken(index),
    href: urls.run(projectId, run.id),
    document: run.document,
  }));
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(window.location.href);
      toast.show(t("Link copied"), "ok");
    } catch (reason) {
      toast.error(reason);
    }
  };
  return (
    <div className="stack">
      <div className="page-head" style={{ marginBottom: 0 }}>
        <h1>{tn("Compare {count} run", "Compare {count} runs", runs.length)}</h1>
        <span className="push">
          <Button icon="link" onClick={() => void copy()}>
            {t("Copy link")}
          </Button>
          <LinkButton icon="list" href={urls.runs(projectId)}>
            {t("Choose other runs")}
          </LinkButton>
        </span>
      </div>
      {missing > 0 && (
        <Notice tone="warn">{tn("{count} run was deleted.", "{count} runs were deleted.", missing)}</Notice>
      )}
      {names.length > 0 && (
        <>
          <ChartOptionsBar options={options} onChange={setOptions} epochs={false} />
          <div className="chart-grid">
            {names
              .filter((name) => !name.startsWith(SYSTEM_BLOCK))
              .map((name) => (
                <ChartCard
                  key={name}
                  projectId={projectId}
                  runs={chartRuns}
                  name={name}
                  options={options}
                  cursors={cursors}
                  height={230}
                />
              ))}
          </div>
          {names.some((name) => name.startsWith(SYSTEM_BLOCK)) && (
            <details className={runStyles.system}>
              <summary>
                <h2>{t("System")}</h2>
              </summary>
              <div className="chart-grid">
                {names
                  .filter((name) => name.startsWith(SYSTEM_BLOCK))
                  .map((name) => (
                    <ChartCard
                      key={name}
                      projectId={projectId}
                      runs={chartRuns}
                      name={name}
                      title={systemTitle(name)}
                      options={timed}
                      cursors={cursors}
                      height={180}
                    />
                  ))}
              </div>
            </details>
          )}
        </>
      )}
      <PrecisionComparison runs={runs} heads={heads} lastSteps={lastSteps} />
      <ConfigTable
        runs={heads}
        rows={rows}
        metrics={metrics}
        onlyDifferences={onlyDifferences}
        onOnlyDifferences={setOnlyDifferences}
      />
      <section className="card" aria-label={t("Parallel coordinates")}>
        <div className="card-head">
          <h2>{t("Parallel coordinates")}</h2>
        </div>
        <div className="card-body">
          <ParallelCoordinates runs={runs} configs={configs} />
        </div>
      </section>
      <GraphDifference runs={heads} />
    </div>
  );
}
