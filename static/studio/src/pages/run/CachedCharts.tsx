/** The curves of a block that came from the cache: those of the run that made its result, with its decisions. */
import { useEffect, useMemo, useState } from "react";
import { ChartCard, type ChartOptions, type CursorGroup, seriesToken } from "../../charts";
import { stepsPerEpoch } from "../../charts/curves";
import { t } from "../../i18n";
import { type Decision, decisionOf, MAX_DECISIONS, mergeDecisions } from "../../lib/decisions";
import { readAll } from "../../lib/history";
import type { Maker, RunEvent } from "../../lib/runTypes";
import { urls } from "../../lib/urls";
import { DecisionTimeline } from "../shared/timeline/DecisionTimeline";
import { metricOrder, timelinesOf, useStoredCurves } from "./storedCurves";

export interface CachedChartsProps {
  block: string;
  maker: Maker;
  options: ChartOptions;
  cursors: CursorGroup;
}

function useDecisionsOf({ run, block }: Maker): readonly Decision[] {
  const [decisions, setDecisions] = useState<readonly Decision[]>([]);
  useEffect(() => {
    let gone = false;
    setDecisions([]);
    readAll<RunEvent>(
      `/runs/${run}/events?types=decision`,
      Number.MAX_SAFE_INTEGER,
      (items) => {
        const found = items.flatMap((event) => decisionOf(event) ?? []).filter((one) => one.block === block);
        setDecisions((all) => mergeDecisions(all, found));
      },
      () => gone,
      MAX_DECISIONS,
    ).catch(() => {
      // The curves stand without them.
    });
    return () => {
      gone = true;
    };
  }, [run, block]);
  return decisions;
}

export function CachedCharts({ block, maker, options, cursors }: CachedChartsProps) {
  const stored = useStoredCurves(maker.run);
  const decisions = useDecisionsOf(maker);
  const names = useMemo(
    () => stored.names.filter((name) => name.startsWith(`${maker.block}.`)).sort(metricOrder),
    [stored.names, maker.block],
  );
  const timelines = useMemo(() => timelinesOf(decisions, names), [decisions, names]);
  const run = useMemo(
    () => ({
      id: maker.run,
      name: `#${maker.number}`,
      start: stored.start ?? 0,
      stepsPerEpoch: stepsPerEpoch(stored.epochs),
    }),
    [maker, stored],
  );
  const cards = useMemo(() => names.map((_, index) => [{ ...run, color: seriesToken(index) }]), [names, run]);
  if (names.length === 0) {
    return null;
  }
  return (
    <section className="stack" aria-label={t("{block}, from the cache", { block })}>
      <div>
        <h2>{t("{block}, from the cache", { block })}</h2>
        <a className="small" href={urls.run(maker.project, maker.run)}>
          {t("These are the curves of run {number}, which made the result.", { number: maker.number })}
        </a>
      </div>
      <div className="chart-grid">
        {names.map((name, index) => {
          const found = timelines.get(name);
          return (
            <ChartCard
              key={name}
              projectId={maker.project}
              runs={cards[index]!}
              name={name}
              options={options}
              cursors={cursors}
              wide={found !== undefined}
              below={
                found &&
                ((axis, zoomTo) => (
                  <DecisionTimeline
                    decisions={found}
                    label={t("Precision timeline of {block}", { block })}
                    axis={axis}
                    zoomTo={zoomTo}
                  />
                ))
              }
            />
          );
        })}
      </div>
    </section>
  );
}
