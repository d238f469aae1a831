/** The log of a run: levels, search, blocks; follows the end while it is scrolled there. Draws only visible lines. */
import { useEffect, useMemo, useRef, useState } from "react";
import { t, tn } from "../../i18n";
import { formatTime } from "../../lib/format";
import type { LogLine } from "../../lib/live";
import { EmptyState, Input, Segmented, Select } from "../../ui";
import styles from "./LogView.module.css";

const ROW = 22;
const OVERSCAN = 12;
const LEVELS = ["debug", "info", "warning", "error"];

export interface LogViewProps {
  lines: readonly LogLine[];
  blocks: readonly string[];
  /** Scroll to the first line at or after this event and mark it. */
  focusSeq?: number | null;
  block: string | null;
  onBlock: (block: string | null) => void;
  height?: number;
}

export function lineText(line: LogLine): string {
  return line.template ? t(line.template, line.values ?? {}) : line.message;
}

function rank(level: string): number {
  const at = LEVELS.indexOf(level === "warn" ? "warning" : level);
  return at < 0 ? 1 : at;
}

export function LogView({ lines, blocks, focusSeq, block, onBlock, height = 420 }: LogViewProps) {
  const [level, setLevel] = useState("info");
  const [search, setSearch] = useState("");
  const found = useMemo(() => {
    const words = search.trim().toLowerCase();
    const least = rank(level);
    return lines.filter(
      (line) =>
        rank(line.level) >= least &&
        (block === null || line.block === block) &&
        (words === "" || lineText(line).toLowerCase().includes(words)),
    );
  }, [lines, level, search, block]);
  return (
    <section className="card" aria-label={t("Log")}>
      <div className="card-head row-wrap">
        <Segmented
          label={t("Least level")}
          value={level}
          onChange={setLevel}
          options={[
            { value: "debug", label: t("All") },
            { value: "info", label: t("Info") },
            { value: "warning", label: t("Warnings") },
            { value: "error", label: t("Errors") },
          ]}
        />
        <Select
          aria-label={t("Block")}
          style={{ width: 160 }}
          value={block ?? ""}
          onChange={(event) => onBlock(event.target.value || null)}
          options={[{ value: "", label: t("All blocks") }, ...blocks.map((id) => ({ value: id, label: id }))]}
        />
        <Input
          type="search"
          style={{ width: 220 }}
          placeholder={t("Search the log")}
          aria-label={t("Search the log")}
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <span className="muted small push">{tn("{count} line", "{count} lines", found.length)}</span>
      </div>
      {found.length === 0 ? (
        <EmptyState compact icon="list" title={lines.length === 0 ? t("The log is empty") : t("No line matches")} />
      ) : (
        <Lines lines={found} focusSeq={focusSeq ?? null} height={height} />
      )}
    </section>
  );
}

function Lines({ lines, focusSeq, height }: { lines: LogLine[]; focusSeq: number | null; height: number }) {
  const box = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [top, setTop] = useState(0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line moves the end
  useEffect(() => {
    if (following.current && box.current && focusSeq === null) {
      box.current.scrollTop = box.current.scrollHeight;
    }
  }, [lines.length]);

  useEffect(() => {
    if (focusSeq === null || !box.current) {
      return;
    }
    const at = lines.findIndex((line) => line.seq >= focusSeq);
    following.current = false;
    box.current.scrollTop = Math.max(0, (at < 0 ? lines.length - 1 : at) * ROW - height / 3);
  }, [focusSeq, lines, height]);

  const first = Math.max(0, Math.floor(top / ROW) - OVERSCAN);
  const last = Math.min(lines.length, Math.ceil((top + height) / ROW) + OVERSCAN);
  return (
    <div
      ref={box}
      className={styles.lines}
      style={{ height }}
      role="log"
      aria-label={t("Log lines")}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolled region must be reachable by keyboard
      tabIndex={0}
      onScroll={(event) => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        following.current = scrollHeight - scrollTop - clientHeight < ROW;
        setTop(scrollTop);
      }}
    >
      <div style={{ height: lines.length * ROW, position: "relative" }}>
        {lines.slice(first, last).map((line, index) => (
          <div
            key={line.seq}
            className={styles.line}
            data-level={line.level}
            data-focus={line.seq === focusSeq || undefined}
            style={{ top: (first + index) * ROW }}
          >
            <time>{formatTime(line.t)}</time>
            <b translate="no">{line.block ?? ""}</b>
            <span title={lineText(line)}>{lineText(line)}</span>
          </div>
        ))}
      </div>
    </div>
  );
}
