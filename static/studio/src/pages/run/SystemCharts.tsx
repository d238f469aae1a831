/** What the run's processes used of their machine, in a group that folds, under the cursor of the other charts. */
import { useEffect, useMemo, useRef, useState } from "react";
import {
  type ChartLine,
  type ChartOptions,
  type CursorGroup,
  decodeSeries,
  LineChart,
  seriesToken,
} from "../../charts";
import { joinTail, type Series } from "../../charts/curves";
import { useInView } from "../../charts/useInView";
import { t } from "../../i18n";
import { api, query } from "../../lib/api";
import { formatMetric } from "../../lib/format";
import type { RunState } from "../../lib/live";
import type { SeriesJson } from "../../lib/runTypes";
import styles from "./run.module.css";

const POINTS = 1000;
const OPEN_KEY = "studio.system-open";

interface Chart {
  id: string;
  title: string;
  lines: { name: string; title: string }[];
}

/** The charts that the measured curves fill: what belongs together lies in one. */
export function systemCharts(names: readonly string[]): Chart[] {
  const short = (name: string) => name.slice(name.indexOf(".") + 1);
  const chart = (id: string, title: string, pick: RegExp, label: (match: RegExpMatchArray) => string): Chart => ({
    id,
    title,
    lines: names.flatMap((name) => {
      const match = short(name).match(pick);
      return match ? [{ name, title: label(match) }] : [];
    }),
  });
  const direction = (match: RegExpMatchArray) =>
    ({ read: t("Read"), written: t("Written"), received: t("Received"), sent: t("Sent") })[match[1]!] ?? match[1]!;
  const gpu = (match: RegExpMatchArray) => `GPU ${match[1]}`;
  return [
    chart("cpu", t("Processor (%, 100 is one core)"), /^cpu_percent$/, () => t("Processor")),
    chart("memory", t("Memory (MiB)"), /^memory_mib$/, () => t("Memory")),
    chart("gpu", t("GPU utilisation (%)"), /^gpu(\d+)_percent$/, gpu),
    chart("gpu_memory", t("GPU memory (MiB)"), /^gpu(\d+)_memory_mib$/, gpu),
    chart("disk", t("Disk (MiB/s)"), /^disk_(read|written)_mib_s$/, direction),
    chart("network", t("Network (MiB/s)"), /^network_(received|sent)_mib_s$/, direction),
  ].filter(({ lines }) => lines.length > 0);
}

/** The title of one measured curve that has a chart of its own, as in a comparison of runs. */
export function systemTitle(name: string): string {
  const short = name.slice(name.indexOf(".") + 1);
  const gpu = short.match(/^gpu(\d+)_(percent|memory_mib)$/);
  if (gpu) {
    return gpu[2] === "percent"
      ? t("GPU {number}: utilisation (%)", { number: gpu[1] })
      : t("GPU {number}: memory (MiB)", { number: gpu[1] });
  }
  const titles: Record<string, string> = {
    cpu_percent: t("Processor (%, 100 is one core)"),
    memory_mib: t("Memory (MiB)"),
    disk_read_mib_s: t("Disk read (MiB/s)"),
    disk_written_mib_s: t("Disk written (MiB/s)"),
    network_received_mib_s: t("Network received (MiB/s)"),
    network_sent_mib_s: t("Network sent (MiB/s)"),
  };
  return titles[short] ?? short;
}

export interface SystemChartsProps {
  runId: string;
  names: readonly string[];
  tails: RunState["tails"];
  start: number;
  options: ChartOptions;
  cursors: CursorGroup;
}

export function SystemCharts({ runId, names, tails, start, options, cursors }: SystemChartsProps) {
  const [open, setOpen] = useState(() => readOpen());
  const key = names.join(",");
  const charts = useMemo(() => systemCharts(key.split(",")), [key]);
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
  if (charts.length === 0) {
    return null;
  }
  return (
    <details
      className={styles.system}
      open={open}
      onToggle={(event) => {
        setOpen(event.currentTarget.open);
        keepOpen(event.currentTarget.open);
      }}
    >
      <summary>
        <h2>{t("System")}</h2>
      </summary>
      {open && (
        <div className="chart-grid">
          {charts.map((chart) => (
            <SystemCard
              key={chart.id}
              runId={runId}
              chart={chart}
              tails={tails}
              start={start}
              options={timed}
              cursors={cursors}
            />
          ))}
        </div>
      )}
    </details>
  );
}

function readOpen(): boolean {
  try {
    return localStorage.getItem(OPEN_KEY) !== "no";
  } catch {
    return true;
  }
}

function keepOpen(open: boolean): void {
  try {
    localStorage.setItem(OPEN_KEY, open ? "yes" : "no");
  } catch {
    // A browser without storage only forgets the choice.
  }
}

/** The curves that the server has, read once the card comes near the view. */
function useCurves(runId: string, names: string, enabled: boolean): Record<string, Series> {
  const [curves, setCurves] = useState<Record<string, Series>>({});
  useEffect(() => {
    if (!enabled) {
      return;
    }
    const abort = new AbortController();
    api
      .get<{ series: Record<string, SeriesJson> }>(
        `/runs/${runId}/series${query({ names, points: POINTS })}`,
        abort.signal,
      )
      .then(
        ({ series }) =>
          setCurves(Object.fromEntries(Object.entries(series).map(([name, one]) => [name, decodeSeries(one)]))),
        () => {
          // The live points are drawn all the same.
        },
      );
    return () => abort.abort();
  }, [runId, names, enabled]);
  return curves;
}

interface SystemCardProps extends Omit<SystemChartsProps, "names"> {
  chart: Chart;
}

function SystemCard({ runId, chart, tails, start, options, cursors }: SystemCardProps) {
  const box = useRef<HTMLElement>(null);
  const near = useInView(box, "600px");
  const curves = useCurves(runId, chart.lines.map((line) => line.name).join(","), near);
  const lines = useMemo(
    () =>
      chart.lines.map(({ name, title }, index): ChartLine => {
        const series = joinTail(curves[name], tails[name]);
        return { id: name, name: title, color: seriesToken(index + 4), series, start, stepsPerEpoch: null };
      }),
    [chart, curves, tails, start],
  );
  const newest = lines.map(({ series }) => formatMetric(series.last[series.last.length - 1])).join(" · ");
  return (
    <article ref={box} className="chart-card" aria-label={chart.title}>
      <header className="chart-card-head">
        <h3>{chart.title}</h3>
        <span className="value" style={{ paddingRight: 8 }}>
          {newest}
        </span>
      </header>
      <div className="chart-card-body">
        <LineChart label={chart.title} lines={lines} options={options} height={150} cursors={cursors} />
      </div>
    </article>
  );
}
