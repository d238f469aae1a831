/** The curves of a run and of the machine it runs on, under one time cursor. */
import { useEffect, useMemo, useState } from "react";
import { ChartCard, ChartOptionsBar, type ChartRun, CursorGroup, LineChart, useChartOptions } from "../../charts";
import { decodeSeries, type Series, stepsPerEpoch } from "../../charts/curves";
import type { ChartLine, ChartOptions } from "../../charts/lineFigure";
import { t } from "../../i18n";
import { api } from "../../lib/api";
import { formatMetric } from "../../lib/format";
import { isOver, type RunState, type SystemPoint } from "../../lib/live";
import type { SeriesJson } from "../../lib/types";
import { EmptyState } from "../../ui";

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
}

/** Which metrics have a curve on the server, and a per-epoch one to count epochs with. */
function useStoredCurves(runId: string): Stored {
  const [stored, setStored] = useState<Stored>({ names: [], epochs: undefined });
  useEffect(() => {
    const abort = new AbortController();
    api.get<{ series: Record<string, SeriesJson> }>(`/runs/${runId}/series?points=2`, abort.signal).then(
      ({ series }) => {
        const perEpoch = Object.entries(series).find(([name]) => PER_EPOCH.includes(name.split(".").pop() ?? ""));
        setStored({
          names: Object.keys(series).filter((name) => series[name]!.total > 0),
          epochs: perEpoch && decodeSeries(perEpoch[1]),
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

export interface RunChartsProps {
  projectId: string;
  state: RunState;
  system: readonly SystemPoint[];
  stale: boolean;
}

export function RunCharts({ projectId, state, system, stale }: RunChartsProps) {
  const { run, tails } = state;
  const stored = useStoredCurves(run.id);
  const [options, setOptions] = useChartOptions();
  const cursors = useMemo(() => new CursorGroup(), []);
  const names = useMemo(
    () => [...new Set([...stored.names, ...Object.keys(tails)])].sort(metricOrder),
    [stored.names, tails],
  );
  const epochSteps = useMemo(() => epochLength(stored.epochs, tails), [stored.epochs, tails]);
  const start = run.started ? Date.parse(run.started) / 1000 : (system[0]?.t ?? Date.now() / 1000);
  return (
    <div className="stack">
      {names.length > 0 && <ChartOptionsBar options={options} onChange={setOptions} epochs={epochSteps !== null} />}
      {names.length === 0 ? (
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
            />
          ))}
        </div>
      )}
      <SystemCharts points={system} start={start} options={options} cursors={cursors} />
    </div>
  );
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
}

function MetricCard({ projectId, state, name, index, start, epochSteps, options, cursors, stale }: MetricCardProps) {
  const { id, name: runName } = state.run;
  const tail = state.tails[name];
  const runs = useMemo<ChartRun[]>(
    () => [{ id, name: runName, color: `--series-${(index % 10) + 1}`, start, stepsPerEpoch: epochSteps, tail }],
    [id, runName, index, start, epochSteps, tail],
  );
  return <ChartCard projectId={projectId} runs={runs} name={name} options={options} cursors={cursors} stale={stale} />;
}

interface SystemChartsProps {
  points: readonly SystemPoint[];
  start: number;
  options: ChartOptions;
  cursors: CursorGroup;
}

const SYSTEM: { key: keyof SystemPoint; title: () => string; color: string }[] = [
  { key: "cpu", title: () => t("Processor (%)"), color: "--series-5" },
  { key: "memory_mib", title: () => t("Memory (MiB)"), color: "--series-3" },
  { key: "gpu", title: () => t("GPU (%)"), color: "--series-4" },
  { key: "gpu_memory_mib", title: () => t("GPU memory (MiB)"), color: "--series-6" },
];

function SystemCharts({ points, start, options, cursors }: SystemChartsProps) {
  const timed = useMemo<ChartOptions>(
    () => ({
      ...options,
      axis: options.axis === "wall" ? "wall" : "relative",
      xLog: false,
      yLog: false,
      smoothing: 0,
      ignoreOutliers: false,
    }),
    [options],
  );
  const charts = useMemo(
    () =>
      SYSTEM.flatMap(({ key, title, color }) => {
        const present = points.filter((point) => point[key] !== null);
        if (present.length === 0) {
          return [];
        }
        const values = Float64Array.from(present, (point) => point[key] as number);
        const times = Float64Array.from(present, (point) => point.t);
        const series: Series = {
          total: values.length,
          shown: values.length,
          steps: times,
          t: times,
          last: values,
          min: values,
          max: values,
        };
        const line: ChartLine = { id: key, name: title(), color, series, start, stepsPerEpoch: null };
        return [line];
      }),
    [points, start],
  );
  if (charts.length === 0) {
    return null;
  }
  return (
    <section className="stack" aria-label={t("System")}>
      <h2>{t("System")}</h2>
      <div className="chart-grid">
        {charts.map((line) => (
          <SystemCard key={line.id} line={line} options={timed} cursors={cursors} />
        ))}
      </div>
    </section>
  );
}

function SystemCard({ line, options, cursors }: { line: ChartLine; options: ChartOptions; cursors: CursorGroup }) {
  const lines = useMemo(() => [line], [line]);
  return (
    <article className="chart-card" aria-label={line.name}>
      <header className="chart-card-head">
        <h3>{line.name}</h3>
        <span className="value" style={{ paddingRight: 8 }}>
          {formatMetric(line.series.last[line.series.last.length - 1])}
        </span>
      </header>
      <div className="chart-card-body">
        <LineChart label={line.name} lines={lines} options={options} height={150} cursors={cursors} />
      </div>
    </article>
  );
}
