/** The curves of a run and of the machine it runs on, under one time cursor. */
import { useEffect, useMemo, useState } from "react";
import { ChartCard, ChartOptionsBar, type ChartRun, CursorGroup, useChartOptions } from "../../charts";
import { decodeSeries, type Series, stepsPerEpoch } from "../../charts/curves";
import type { ChartOptions } from "../../charts/lineFigure";
import { isCandidate } from "../../compression/candidates";
import { t } from "../../i18n";
import { api } from "../../lib/api";
import type { Decision } from "../../lib/decisions";
import { isOver, type RunState, SYSTEM_BLOCK } from "../../lib/live";
import type { SeriesJson } from "../../lib/runTypes";
import { EmptyState } from "../../ui";
import { DecisionTimeline } from "../shared/timeline/DecisionTimeline";
import { CachedCharts } from "./CachedCharts";
import { SystemCharts } from "./SystemCharts";

const PER_EPOCH = ["validation_loss", "validation_accuracy", "train_accuracy"];
const FIRST_NAMES = ["loss", "train_accuracy", "validation_accuracy", "validation_loss"];

/** Curves in the order a reader wants them: loss, accuracy, the rest by name. */
export function metricOrder(a: string, b: string): number {
  const place = (address: string) => {
    const at = FIRST_NAMES.indexOf(address.split(".").slice(1).join("."));
    return at < 0 ? FIRST_NAMES.length : at;
  };
  return place(a) - place(b) || a.localeCompare(b);
}

interface Stored {
  names: string[];
  epochs: Series | undefined;
  /** Unix seconds of the first point of all. */
  start: number | null;
}

/** Which metrics have a curve on the server, and a per-epoch one to count epochs with. */
export function useStoredCurves(runId: string): Stored {
  const [stored, setStored] = useState<Stored>({ names: [], epochs: undefined, start: null });
  useEffect(() => {
    const abort = new AbortController();
    api.get<{ series: Record<string, SeriesJson> }>(`/runs/${runId}/series?points=2`, abort.signal).then(
      ({ series }) => {
        const perEpoch = Object.entries(series).find(([name]) => PER_EPOCH.includes(name.split(".").pop() ?? ""));
        setStored({
          names: Object.keys(series).filter((name) => series[name]!.total > 0),
          epochs: perEpoch && decodeSeries(perEpoch[1]),
          start: firstMoment(Object.values(series)),
        });
      },
      () => {
        // The cards report the error where the curve would be; here only the names are missing.
      },
    );
    return () => abort.abort();
  }, [runId]);
  return stored;
}

function firstMoment(series: readonly SeriesJson[]): number | null {
  const moments = series.flatMap((one) => [...decodeSeries(one).t.subarray(0, 1)]);
  return moments.length > 0 ? Math.min(...moments) : null;
}

export interface RunChartsProps {
  projectId: string;
  state: RunState;
  decisions: readonly Decision[];
  stale: boolean;
}

export function RunCharts({ projectId, state, decisions, stale }: RunChartsProps) {
  const { run, tails } = state;
  const stored = useStoredCurves(run.id);
  const [options, setOptions] = useChartOptions();
  const cursors = useMemo(() => new CursorGroup(), []);
  const all = useMemo(
    () => [...new Set([...stored.names, ...Object.keys(tails)])].sort(metricOrder),
    [stored.names, tails],
  );
  const names = useMemo(() => all.filter((name) => !name.startsWith(SYSTEM_BLOCK)), [all]);
  const timelines = useMemo(() => timelinesOf(decisions, names), [decisions, names]);
  const epochSteps = useMemo(() => epochLength(stored.epochs, tails), [stored.epochs, tails]);
  const cached = Object.entries(run.blocks).filter(([, block]) => block.state === "cached" && block.made_by);
  const trained = cached.some(([id]) => run.document.blocks[id]?.type.startsWith("train."));
  const start = run.started ? Date.parse(run.started) / 1000 : Date.now() / 1000;
  return (
    <div className="stack">
      {(names.length > 0 || trained) && (
        <ChartOptionsBar options={options} onChange={setOptions} epochs={epochSteps !== null} />
      )}
      {names.length === 0 && trained ? null : names.length === 0 ? (
        <div className="card">
          {isOver(run.status) ? (
            <EmptyState icon="chart" title={t("No curves")}>
              {t(
                "No block of this run reported a metric. A block from the cache keeps its curves in the run that made it.",
              )}
            </EmptyState>
          ) : (
            <EmptyState icon="chart" title={t("No curves yet")}>
              {t("Curves appear as soon as a block reports a metric.")}
            </EmptyState>
          )}
        </div>
      ) : (
        <div className="chart-grid">
          {names.map((name, index) => (
            <MetricCard
              key={name}
              projectId={projectId}
              state={state}
              name={name}
              index={index}
              start={start}
              epochSteps={epochSteps}
              options={options}
              cursors={cursors}
              stale={stale}
              decisions={timelines.get(name)}
            />
          ))}
        </div>
      )}
      {cached.map(([id, block]) => (
        <CachedCharts key={id} block={id} maker={block.made_by!} options={options} cursors={cursors} />
      ))}
      <SystemCharts
        runId={run.id}
        names={all.filter((name) => name.startsWith(SYSTEM_BLOCK))}
        tails={tails}
        start={start}
        options={options}
        cursors={cursors}
      />
    </div>
  );
}

/** Which chart carries the decisions of its block: the first one, that is the loss. Candidates have a chart of their own. */
export function timelinesOf(decisions: readonly Decision[], names: readonly string[]): Map<string, Decision[]> {
  const found = new Map<string, Decision[]>();
  for (const decision of decisions) {
    const name = names.find((one) => one.startsWith(`${decision.block}.`));
    if (name !== undefined && !isCandidate(decision)) {
      const before = found.get(name);
      if (before) {
        before.push(decision);
      } else {
        found.set(name, [decision]);
      }
    }
  }
  return found;
}

function epochLength(stored: Series | undefined, tails: RunState["tails"]): number | null {
  const known = stepsPerEpoch(stored);
  if (known !== null) {
    return known;
  }
  const live = Object.entries(tails).find(([name]) => PER_EPOCH.includes(name.split(".").pop() ?? ""))?.[1];
  return live && live.count > 0 ? live.lastStep / live.count : null;
}

interface MetricCardProps {
  projectId: string;
  state: RunState;
  name: string;
  index: number;
  start: number;
  epochSteps: number | null;
  options: ChartOptions;
  cursors: CursorGroup;
  stale: boolean;
  decisions?: readonly Decision[];
}

function MetricCard(props: MetricCardProps) {
  const { projectId, state, name, index, start, epochSteps, options, cursors, stale, decisions } = props;
  const { id, name: runName } = state.run;
  const tail = state.tails[name];
  const runs = useMemo<ChartRun[]>(
    () => [{ id, name: runName, color: `--series-${(index % 10) + 1}`, start, stepsPerEpoch: epochSteps, tail }],
    [id, runName, index, start, epochSteps, tail],
  );
  return (
    <ChartCard
      projectId={projectId}
      runs={runs}
      name={name}
      options={options}
      cursors={cursors}
      stale={stale}
      wide={decisions !== undefined}
      below={
        decisions &&
        ((axis, zoomTo) => (
          <DecisionTimeline
            decisions={decisions}
            label={t("Precision timeline of {block}", { block: name.split(".")[0] })}
            axis={axis}
            zoomTo={zoomTo}
          />
        ))
      }
    />
  );
}
