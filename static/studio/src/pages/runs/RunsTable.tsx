/** The table of runs. Only the rows in view exist, so ten thousand runs scroll like ten. */
import { useEffect, useMemo, useRef, useState } from "react";
import { t } from "../../i18n";
import { formatAge, formatDate, formatDuration, formatMetric } from "../../lib/format";
import type { RunSummary } from "../../lib/runTypes";
import { urls } from "../../lib/urls";
import { Icon, StatusBadge } from "../../ui";
import { valueText } from "../run/Configuration";
import { userName } from "../run/RunHeader";
import styles from "./runs.module.css";
import type { RunPages } from "./useRunPages";

const ROW = 40;
const OVERSCAN = 8;

export interface RunsTableProps {
  projectId: string;
  pages: RunPages;
  columns: readonly string[];
  sort: string;
  onSort: (sort: string) => void;
  selected: ReadonlySet<string>;
  onSelect: (id: string, on: boolean) => void;
  onEdit: ((run: RunSummary) => void) | null;
}

/** A second click turns the order round. */
export function nextSort(current: string, column: string): string {
  return current === `-${column}` ? column : `-${column}`;
}

export function cellValue(run: RunSummary, address: string): string {
  const metric = run.metrics?.[address];
  if (metric !== undefined) {
    return formatMetric(metric);
  }
  const config = run.config?.[address];
  return config === undefined ? "" : valueText(config);
}

function useWindow(total: number) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  useEffect(() => {
    const element = box.current;
    if (!element) {
      return;
    }
    const measure = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    measure();
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
  const first = Math.max(0, Math.floor(view.top / ROW) - OVERSCAN);
  const last = Math.min(total, Math.ceil((view.top + view.height) / ROW) + OVERSCAN);
  return { box, first, last };
}

export function RunsTable(props: RunsTableProps) {
  const { projectId, pages, columns, sort, onSort, selected, onSelect, onEdit } = props;
  const total = pages.total ?? 0;
  const { box, first, last } = useWindow(total);
  const { ensure } = pages;
  useEffect(() => ensure(first, Math.max(first, last - 1)), [ensure, first, last]);
  const fixed = useMemo(
    () => [
      { id: "status", label: t("Status") },
      { id: "created", label: t("Created") },
      { id: "duration_s", label: t("Duration") },
      { id: "user", label: t("By") },
    ],
    [],
  );
  const count = fixed.length + columns.length + 4;
  const rows = Array.from({ length: Math.max(0, last - first) }, (_, index) => first + index);
  return (
    <div ref={box} className={styles.box}>
      <table className={styles.table} aria-rowcount={total + 1}>
        <thead>
          <tr>
            <th className={styles.pick}>
              <span className="visually-hidden">{t("Select")}</span>
            </th>
            <SortHeader id="number" label={t("Run")} sort={sort} onSort={onSort} className={styles.first} />
            {fixed.map((column) => (
              <SortHeader key={column.id} {...column} sort={sort} onSort={onSort} />
            ))}
            <th>{t("Tags")}</th>
            {columns.map((address) => (
              <SortHeader key={address} id={address} label={address} sort={sort} onSort={onSort} numeric />
            ))}
            <th />
          </tr>
        </thead>
        <tbody>
          <tr className={styles.spacer} style={{ height: first * ROW }}>
            <td colSpan={count} />
          </tr>
          {rows.map((index) => {
            const run = pages.row(index);
            return run ? (
              <RunRow
                key={run.id}
                run={run}
                index={index}
                projectId={projectId}
                columns={columns}
                selected={selected.has(run.id)}
                onSelect={onSelect}
                onEdit={onEdit}
              />
            ) : (
              <tr key={index} className={styles.waiting}>
                <td colSpan={count}>
                  <i />
                </td>
              </tr>
            );
          })}
          <tr className={styles.spacer} style={{ height: Math.max(0, total - last) * ROW }}>
            <td colSpan={count} />
          </tr>
        </tbody>
      </table>
    </div>
  );
}

interface SortHeaderProps {
  id: string;
  label: string;
  sort: string;
  onSort: (sort: string) => void;
  numeric?: boolean;
  className?: string;
}

function SortHeader({ id, label, sort, onSort, numeric, className }: SortHeaderProps) {
  const on = sort === id || sort === `-${id}`;
  const down = sort === `-${id}`;
  return (
    <th aria-sort={on ? (down ? "descending" : "ascending") : "none"} className={className}>
      <button
        type="button"
        className={numeric ? styles.numericHead : undefined}
        onClick={() => onSort(nextSort(sort, id))}
      >
        <span title={label}>{label}</span>
        {on && <Icon name={down ? "down" : "up"} size={12} />}
      </button>
    </th>
  );
}

interface RowProps {
  run: RunSummary;
  index: number;
  projectId: string;
  columns: readonly string[];
  selected: boolean;
  onSelect: (id: string, on: boolean) => void;
  onEdit: ((run: RunSummary) => void) | null;
}

function RunRow({ run, index, projectId, columns, selected, onSelect, onEdit }: RowProps) {
  return (
    <tr aria-rowindex={index + 2} data-selected={selected || undefined}>
      <td className={styles.pick}>
        <input
          type="checkbox"
          checked={selected}
          aria-label={t("Select run {number}", { number: run.number })}
          onChange={(event) => onSelect(run.id, event.target.checked)}
        />
      </td>
      <td className={styles.first}>
        <a href={urls.run(projectId, run.id)} title={run.notes || undefined}>
          <span className="muted numeric">#{run.number}</span> {run.name}
        </a>
        {run.notes && <Icon name="note" size={13} label={run.notes} />}
      </td>
      <td>
        <StatusBadge status={run.status}>
          {run.status === "queued" && run.queue_position ? ` · ${run.queue_position}` : null}
        </StatusBadge>
      </td>
      <td title={formatDate(run.created)}>{formatAge(run.created)}</td>
      <td className="numeric">{formatDuration(run.duration_s)}</td>
      <td>{userName(run.user)}</td>
      <td>
        <span className={styles.tags}>
          {run.tags.map((tag) => (
            <span key={tag} className="chip">
              {tag}
            </span>
          ))}
        </span>
      </td>
      {columns.map((address) => (
        <td key={address} className={styles.number}>
          {cellValue(run, address)}
        </td>
      ))}
      <td className={styles.end}>
        {onEdit && (
          <button
            type="button"
            className="button button-quiet button-small button-icon"
            aria-label={t("Edit run {number}", { number: run.number })}
            title={t("Edit name, tags and notes")}
            onClick={() => onEdit(run)}
          >
            <Icon name="edit" size={14} />
          </button>
        )}
      </td>
    </tr>
  );
}
