/**
 * What a training decided, under its chart and in line with the chart's x axis: the precision it used as a track of
 * lanes, a marker for each decision, and why. Pointer, focus and arrow keys show the reason; dragging over the track
 * zooms the chart. The same as a list stands below.
 */
import { useMemo, useRef, useState } from "react";
import type { AxisView } from "../../../charts";
import { t, tn } from "../../../i18n";
import { type Cluster, clusterDecisions, type Decision, lanesOf, rungSpans } from "../../../lib/decisions";
import { formatNumber } from "../../../lib/format";
import { DecisionDetail } from "./DecisionDetail";
import { DecisionList } from "./DecisionList";
import styles from "./timeline.module.css";
import { useDragZoom } from "./useDragZoom";
import { kindLabel, messageOf, toneOf } from "./words";

const LANE = 15;
const HEAD = 24;
const GAP = 14;

export interface DecisionTimelineProps {
  /** Of one block, in ascending step. */
  decisions: readonly Decision[];
  label: string;
  axis: AxisView | null;
  zoomTo?: (steps: [number, number]) => void;
  /** The line of the chart that the steps belong to. */
  lineId?: string;
}

export function DecisionTimeline({ decisions, label, axis, zoomTo, lineId }: DecisionTimelineProps) {
  const spans = useMemo(() => rungSpans(decisions), [decisions]);
  const lanes = useMemo(() => lanesOf(spans), [spans]);
  const clusters = useMemo(
    () => (axis ? clusterDecisions(decisions, (step) => axis.place(step, lineId), axis.width, GAP) : []),
    [decisions, axis, lineId],
  );
  const [pointed, setPointed] = useState<Decision | null>(null);
  const [chosen, setChosen] = useState<Decision | null>(null);
  const track = useRef<HTMLDivElement>(null);
  const drag = useDragZoom(track, axis, lineId, zoomTo);
  const shown = clusterOf(clusters, pointed ?? chosen) ?? [pointed ?? chosen ?? newestOf(decisions)];
  const height = HEAD + Math.max(1, lanes.length) * LANE + 4;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for inputs
    <section className={styles.timeline} role="group" aria-label={label}>
      {axis && (
        <div className={styles.area} style={{ height }}>
          <ul className={styles.lanes} style={{ width: axis.left, top: HEAD }} aria-hidden="true">
            {lanes.map((rung) => (
              <li key={rung} style={{ height: LANE }}>
                {rung}
              </li>
            ))}
          </ul>
          <div
            ref={track}
            className={styles.track}
            style={{ left: axis.left, width: axis.width, height }}
            data-drag={zoomTo ? true : undefined}
            {...drag.handlers}
          >
            <svg width={axis.width} height={height} aria-hidden="true">
              {lanes.map((rung, row) => (
                <rect
                  key={rung}
                  className={styles.lane}
                  x={0}
                  y={HEAD + row * LANE + 1}
                  width={axis.width}
                  height={LANE - 2}
                />
              ))}
              {clusters.map(({ x, decisions: [first] }) => (
                <line key={first!.seq} className={styles.tick} x1={x} x2={x} y1={HEAD - 4} y2={height} />
              ))}
              {spans.map((span) => {
                const from = Math.max(0, axis.place(span.from, lineId));
                const to = Math.min(axis.width, axis.place(span.to ?? Number.POSITIVE_INFINITY, lineId));
                return to > from ? (
                  <rect
                    key={`${span.rung} ${span.from}`}
                    className={styles.span}
                    data-rung={span.rung}
                    x={from}
                    y={HEAD + lanes.indexOf(span.rung) * LANE + 2}
                    width={Math.max(2, to - from)}
                    height={LANE - 4}
                    rx={3}
                  />
                ) : null;
              })}
            </svg>
            {drag.selection && (
              <div
                className={styles.selection}
                style={{ left: drag.selection[0], width: drag.selection[1] - drag.selection[0] }}
              />
            )}
            <Markers clusters={clusters} chosen={chosen} onPoint={setPointed} onChoose={setChosen} />
          </div>
        </div>
      )}
      <DecisionDetail decisions={shown} newest={pointed === null && chosen === null} />
      <DecisionList
        decisions={decisions}
        chosen={chosen}
        onChoose={(decision) => {
          setChosen(decision);
          setPointed(null);
        }}
      />
    </section>
  );
}

/** Said last: a way back leads to an earlier step, so it need not be the one with the highest. */
function newestOf(decisions: readonly Decision[]): Decision {
  return decisions.reduce((newest, one) => (one.seq > newest.seq ? one : newest));
}

function clusterOf(clusters: readonly Cluster[], decision: Decision | null): Decision[] | null {
  return (decision && clusters.find((one) => one.decisions.includes(decision))?.decisions) ?? null;
}

interface MarkersProps {
  clusters: readonly Cluster[];
  chosen: Decision | null;
  onPoint: (decision: Decision | null) => void;
  onChoose: (decision: Decision | null) => void;
}

/** One stop of the Tab key; the arrow keys go from marker to marker, Enter keeps one, Escape lets it go. */
function Markers({ clusters, chosen, onPoint, onChoose }: MarkersProps) {
  const box = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<number | null>(null);
  const stop = Math.min(at ?? clusters.length - 1, clusters.length - 1);
  const go = (index: number) => {
    const next = Math.max(0, Math.min(clusters.length - 1, index));
    setAt(next);
    box.current?.querySelectorAll("button")[next]?.focus();
  };
  const keys = (event: React.KeyboardEvent) => {
    const moves: Record<string, number> = {
      ArrowLeft: stop - 1,
      ArrowRight: stop + 1,
      Home: 0,
      End: clusters.length - 1,
    };
    const next = moves[event.key];
    if (next !== undefined) {
      event.preventDefault();
      go(next);
    } else if (event.key === "Escape") {
      onChoose(null);
    }
  };
  return (
    <div
      ref={box}
      role="toolbar"
      aria-label={t("Decisions on the time line")}
      className={styles.markers}
      onKeyDown={keys}
    >
      {clusters.map(({ x, decisions }, index) => {
        const first = decisions[0]!;
        return (
          <button
            key={first.seq}
            type="button"
            className={styles.marker}
            style={{ left: x }}
            data-tone={toneOf(decisions.find((one) => one.kind === "precision") ?? first)}
            data-many={decisions.length > 1 || undefined}
            tabIndex={index === stop ? 0 : -1}
            aria-pressed={chosen !== null && decisions.includes(chosen)}
            aria-label={markerLabel(decisions)}
            onPointerDown={(event) => event.stopPropagation()}
            onPointerEnter={() => onPoint(first)}
            onPointerLeave={() => onPoint(null)}
            onFocus={() => {
              setAt(index);
              onPoint(first);
            }}
            onBlur={() => onPoint(null)}
            onClick={() => onChoose(chosen && decisions.includes(chosen) ? null : first)}
          >
            {decisions.length > 1 ? (decisions.length > 99 ? "99+" : decisions.length) : null}
          </button>
        );
      })}
    </div>
  );
}

function markerLabel(decisions: readonly Decision[]): string {
  const first = decisions[0]!;
  const step = formatNumber(first.step);
  if (decisions.length > 1) {
    return `${t("Step {step}", { step })}: ${tn("{count} decision", "{count} decisions", decisions.length)}`;
  }
  return `${t("Step {step}", { step })}, ${kindLabel(first.kind)}: ${messageOf(first)}`;
}
