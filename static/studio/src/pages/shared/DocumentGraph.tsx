/** A pipeline as a picture: boxes and wires, with the states of a run or the marks of a difference. */
import { useMemo } from "react";
import { t } from "../../i18n";
import { formatDuration, formatPercent } from "../../lib/format";
import type { BlockRun } from "../../lib/runTypes";
import type { PipelineDocument } from "../../lib/types";
import { Icon, type IconName } from "../../ui/Icon";
import { statusLabel } from "../../ui/states";
import styles from "./DocumentGraph.module.css";
import type { Change } from "./documentDiff";
import { BOX, type Box, geometry } from "./graphGeometry";

const STATE_ICONS: Record<string, IconName> = {
  waiting: "clock",
  running: "spinner",
  done: "check",
  cached: "copy",
  failed: "error",
  skipped: "skip",
};

export interface DocumentGraphProps {
  document: PipelineDocument;
  label: string;
  blocks?: Record<string, BlockRun>;
  changes?: { blocks: Record<string, { change: Change }>; wires: Record<string, Change> };
  selected?: string | null;
  onSelect?: (id: string) => void;
  maxHeight?: number;
  /** Drawn small: only the titles, larger. */
  picture?: boolean;
}

export function DocumentGraph(props: DocumentGraphProps) {
  const { document, label, blocks, changes, selected, onSelect, maxHeight, picture } = props;
  const shape = useMemo(() => geometry(document), [document]);
  return (
    <svg
      className={styles.graph}
      data-picture={picture || undefined}
      viewBox={shape.viewBox.join(" ")}
      style={{ maxWidth: shape.viewBox[2], maxHeight }}
      role={onSelect ? "group" : "img"}
      aria-label={label}
    >
      {shape.wires.map((wire) => (
        <path
          key={wire.id}
          d={wire.path}
          className={styles.wire}
          data-change={changes?.wires[wire.id]}
          data-active={blocks?.[wire.to.split(".")[0]!]?.state === "running" || undefined}
        />
      ))}
      {shape.boxes.map((box) => (
        <BlockBox
          key={box.id}
          box={box}
          title={titleOf(document, box.id)}
          type={document.blocks[box.id]?.type ?? ""}
          run={blocks?.[box.id]}
          showRun={blocks !== undefined}
          change={changes?.blocks[box.id]?.change}
          selected={selected === box.id}
          onSelect={onSelect}
        />
      ))}
    </svg>
  );
}

export function titleOf(document: PipelineDocument, id: string): string {
  return document.blocks[id]?.label || id;
}

interface BoxProps {
  box: Box;
  title: string;
  type: string;
  run?: BlockRun;
  showRun: boolean;
  change?: Change;
  selected: boolean;
  onSelect?: (id: string) => void;
}

function describe(run: BlockRun | undefined): string {
  if (run?.state === "running" && run.progress) {
    const { done, total, eta_s } = run.progress;
    const share = formatPercent(total > 0 ? done / total : 0, 0);
    return eta_s === null || eta_s === undefined
      ? share
      : t("{share}, {time} left", { share, time: formatDuration(eta_s) });
  }
  const state = statusLabel(run?.state ?? "waiting");
  return run?.duration_s ? `${state} · ${formatDuration(run.duration_s)}` : state;
}

function BlockBox({ box, title, type, run, showRun, change, selected, onSelect }: BoxProps) {
  const state = run?.state ?? "waiting";
  const share = run?.state === "running" && run.progress?.total ? run.progress.done / run.progress.total : null;
  const content = (
    <>
      <span className={styles.title}>
        {showRun && <Icon name={STATE_ICONS[state] ?? "clock"} size={14} />}
        <b translate="no">{title}</b>
      </span>
      <span className={styles.sub}>{showRun ? describe(run) : type}</span>
      {share !== null && (
        <span className={styles.bar}>
          <i style={{ width: `${share * 100}%` }} />
        </span>
      )}
    </>
  );
  const shared = {
    className: styles.box,
    "data-state": showRun ? state : undefined,
    "data-change": change,
    "data-selected": selected || undefined,
  };
  return (
    <foreignObject x={box.x} y={box.y} width={BOX.width} height={BOX.height}>
      {onSelect ? (
        <button type="button" {...shared} aria-pressed={selected} onClick={() => onSelect(box.id)}>
          {content}
        </button>
      ) : (
        <div {...shared}>{content}</div>
      )}
    </foreignObject>
  );
}
