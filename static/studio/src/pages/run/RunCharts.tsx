/** The curves of a run and of the machine it runs on, under one time cursor. */
import { useMemo } from "react";
import { ChartCard, ChartOptionsBar, type ChartRun, CursorGroup, useChartOptions } from "../../charts";
import type { ChartOptions } from "../../charts/lineFigure";
import { t } from "../../i18n";
import type { Decision } from "../../lib/decisions";
import { isOver, type RunState, SYSTEM_BLOCK } from "../../lib/live";
import { EmptyState } from "../../ui";
import { DecisionTimeline } from "../shared/timeline/DecisionTimeline";
import { CachedCharts } from "./CachedCharts";
import { SystemCharts } from "./SystemCharts";
import { epochLength, metricOrder, timelinesOf, useStoredCurves } from "./storedCurves";

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
