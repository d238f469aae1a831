/**
 * One metric as a card: its curves for one or many runs, its last value, how many points are shown, and
 * what can be done with it. Empty, loading, error and stale are states of the same size.
 */
import { type ReactNode, useCallback, useMemo, useRef, useState } from "react";
import { t, tn } from "../i18n";
import { formatMetric } from "../lib/format";
import type { Tail } from "../lib/tail";
import { Button, IconButton } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Icon } from "../ui/Icon";
import { Menu } from "../ui/Menu";
import { Badge } from "../ui/states";
import { useToast } from "../ui/Toast";
import type { CursorGroup } from "./cursor";
import type { Series } from "./curves";
import { linesToCsv, saveText, saveUrl } from "./export";
import { LineChart, type LineChartHandle } from "./LineChart";
import type { ChartLine, ChartOptions } from "./lineFigure";
import type { AxisView } from "./linePlot";
import { useInView } from "./useInView";
import { type LoadedSeries, useSeries } from "./useSeries";

/** A run as a chart sees it. */
export interface ChartRun {
  id: string;
  name: string;
  color: string;
  start: number;
  stepsPerEpoch: number | null;
  tail?: Tail;
}

export interface ChartCardProps {
  projectId: string;
  runs: readonly ChartRun[];
  /** The metric's address: `train.loss`. */
  name: string;
  title?: string;
  options: ChartOptions;
  cursors?: CursorGroup;
  /** The connection is lost: what is shown may be old. */
  stale?: boolean;
  height?: number;
  /** Takes the whole width of the grid. */
  wide?: boolean;
  /** What lies under the chart, in line with its x axis. */
  below?: (axis: AxisView | null, zoomTo: (steps: [number, number]) => void) => ReactNode;
}

function useLines(runs: readonly ChartRun[], loaded: LoadedSeries): ChartLine[] {
  return useMemo(
    () =>
      runs.flatMap((run) => {
        const series = loaded.series[run.id];
        return series ? [{ ...run, series }] : [];
      }),
    [runs, loaded.series],
  );
}

export function ChartCard(props: ChartCardProps) {
  const { projectId, runs, name, title = name, options, cursors, stale = false, height = 200, wide, below } = props;
  const card = useRef<HTMLElement>(null);
  const chart = useRef<LineChartHandle>(null);
  const near = useInView(card, "600px");
  const [large, setLarge] = useState(false);
  const [failed, setFailed] = useState<Error | null>(null);
  const [axis, setAxis] = useState<AxisView | null>(null);
  const zoomTo = useCallback((steps: [number, number]) => chart.current?.zoomTo(steps), []);
  const tails = useMemo(() => Object.fromEntries(runs.map((run) => [run.id, run.tail])), [runs]);
  const ids = useMemo(() => runs.map((run) => run.id), [runs]);
  const loaded = useSeries(projectId, ids, name, tails, near);
  const lines = useLines(runs, loaded);
  const error = failed ?? (lines.length === 0 ? loaded.error : null);
  const only = lines.length === 1 ? lines[0] : undefined;
  return (
    <article ref={card} className="chart-card" aria-label={title} data-stale={stale} data-wide={wide || undefined}>
      <header className="chart-card-head">
        <h3 title={name}>{title}</h3>
        {stale && <Badge tone="warn">{t("Not live")}</Badge>}
        {only && <span className="value">{formatMetric(only.series.last[only.series.last.length - 1])}</span>}
        <CardTools
          pushed={!only}
          title={title}
          name={name}
          lines={lines}
          chart={chart}
          zoomed={loaded.zoomed}
          onLarge={() => setLarge(true)}
        />
      </header>
      <div className="chart-card-body">
        {lines.length > 0 && !failed ? (
          <LineChart
            ref={chart}
            label={title}
            lines={lines}
            options={options}
            height={height}
            cursors={cursors}
            onZoom={loaded.zoom}
            onAxis={below && setAxis}
            onFailed={setFailed}
          />
        ) : (
          <Placeholder height={height} loading={loaded.loading} error={error} retry={loaded.retry} />
        )}
        {below?.(axis, zoomTo)}
      </div>
      <footer className="chart-card-foot">
        <PointCount lines={lines} showAll={loaded.showAll} />
      </footer>
      {large && (
        <Dialog title={title} wide onClose={() => setLarge(false)}>
          <LineChart label={title} lines={lines} options={options} height={480} onZoom={loaded.zoom} />
        </Dialog>
      )}
    </article>
  );
}

interface ToolsProps {
  title: string;
  name: string;
  lines: ChartLine[];
  chart: React.RefObject<LineChartHandle | null>;
  zoomed: boolean;
  pushed: boolean;
  onLarge: () => void;
}

function CardTools({ title, name, lines, chart, zoomed, pushed, onLarge }: ToolsProps) {
  const toast = useToast();
  const save = async (format: "png" | "svg") => {
    try {
      const url = await chart.current?.image(format);
      if (url) {
        saveUrl(url, `${name}.${format}`);
      }
    } catch (reason) {
      toast.error(reason);
    }
  };
  return (
    <span className={pushed ? "row push" : "row"} style={{ gap: 0 }}>
      {zoomed && (
        <IconButton icon="undo" small label={t("Show everything")} onClick={() => chart.current?.resetZoom()} />
      )}
      <Menu
        small
        label={t("Actions for {title}", { title })}
        items={[
          { label: t("Enlarge"), icon: "zoom", onSelect: onLarge, disabled: lines.length === 0 },
          "separator",
          { label: t("Save as PNG"), icon: "download", onSelect: () => void save("png"), disabled: lines.length === 0 },
          { label: t("Save as SVG"), icon: "download", onSelect: () => void save("svg"), disabled: lines.length === 0 },
          {
            label: t("Save points as CSV"),
            icon: "download",
            onSelect: () => saveText(linesToCsv(lines), `${name}.csv`),
            disabled: lines.length === 0,
          },
        ]}
      />
    </span>
  );
}

function sum(lines: readonly ChartLine[], pick: (series: Series) => number): number {
  return lines.reduce((total, line) => total + pick(line.series), 0);
}

/** "1,000 of 412,337 points" and the offer of the rest; nothing is left out silently. */
function PointCount({ lines, showAll }: { lines: ChartLine[]; showAll: () => void }) {
  if (lines.length === 0) {
    return null;
  }
  const total = sum(lines, (series) => series.total);
  const shown = sum(lines, (series) => series.shown);
  if (shown >= total) {
    return <span>{tn("{count} point", "{count} points", total)}</span>;
  }
  return (
    <>
      <span title={t("Each drawn point stands for several; the band shows their minimum and maximum.")}>
        {t("{shown} of {total} points", { shown, total })}
      </span>
      <button type="button" onClick={showAll}>
        {t("Show all")}
      </button>
    </>
  );
}

interface PlaceholderProps {
  height: number;
  loading: boolean;
  error: Error | null;
  retry: () => void;
}

function Placeholder({ height, loading, error, retry }: PlaceholderProps) {
  return (
    <div className="chart-placeholder" style={{ height }} role={error ? "alert" : "status"}>
      {error ? (
        <>
          <Icon name="error" />
          {error.message}
          <Button small icon="refresh" onClick={retry}>
            {t("Try again")}
          </Button>
        </>
      ) : loading ? (
        <Icon name="spinner" label={t("Loading…")} />
      ) : (
        t("No points yet")
      )}
    </div>
  );
}
