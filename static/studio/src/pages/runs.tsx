/** The runs of a project: filter, order, choose columns, tag, and compare several. */
import { useDeferredValue, useMemo, useState } from "react";
import { t, tn } from "../i18n";
import { useBell } from "../lib/live";
import type { RunSummary } from "../lib/runTypes";
import type { PageProps } from "../lib/types";
import { urls } from "../lib/urls";
import { Button, EmptyState, ErrorState, Input, LinkButton, LoadingState, Menu, Select } from "../ui";
import { metricOrder } from "./run/storedCurves";
import { EditRunDialog } from "./runs/EditRunDialog";
import { RunsTable } from "./runs/RunsTable";
import styles from "./runs/runs.module.css";
import { type RunFilters, useRunPages } from "./runs/useRunPages";
import { useUrlState } from "./shared/useUrlState";

const MOST_COMPARED = 100;
const DEFAULT_COLUMNS = 4;

/** Every address that can be a column: metrics first, then configuration. */
export function addressesOf(runs: readonly RunSummary[]): { metrics: string[]; config: string[] } {
  const metrics = new Set<string>();
  const config = new Set<string>();
  for (const run of runs) {
    for (const address of Object.keys(run.metrics ?? {})) {
      metrics.add(address);
    }
    for (const address of Object.keys(run.config ?? {})) {
      config.add(address);
    }
  }
  return { metrics: [...metrics].sort(metricOrder), config: [...config].sort() };
}

/** The numbers that say how good a run is: evaluations first, then validation, then the rest. */
export function firstColumns(metrics: readonly string[]): string[] {
  const rank = (address: string) => {
    const good = /\.(accuracy|r2|mae|rmse)$/.test(address) ? 0 : 1;
    return address.startsWith("evaluate") ? good : /validation/.test(address) ? 2 + good : 4 + good;
  };
  return metrics
    .filter((address) => /accuracy|r2|mae|rmse|loss/.test(address) && !/_(low|high)$/.test(address))
    .sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .slice(0, DEFAULT_COLUMNS);
}

function useColumns(projectId: string, known: { metrics: string[]; config: string[] }) {
  const key = `studio.columns.${projectId}`;
  const [chosen, setChosen] = useState<string[] | null>(() => {
    try {
      return JSON.parse(localStorage.getItem(key) ?? "null") as string[] | null;
    } catch {
      return null;
    }
  });
  const columns = chosen ?? firstColumns(known.metrics);
  const toggle = (address: string) => {
    const next = columns.includes(address) ? columns.filter((one) => one !== address) : [...columns, address];
    setChosen(next);
    try {
      localStorage.setItem(key, JSON.stringify(next));
    } catch {
      // A browser without storage only forgets the choice.
    }
  };
  return { columns, toggle };
}

export default function Runs({ project, workspace }: PageProps) {
  const projectId = project?.id ?? "";
  const [q, setQ] = useUrlState("q", "");
  const [status, setStatus] = useUrlState("status", "");
  const [tag, setTag] = useUrlState("tag", "");
  const [sort, setSort] = useUrlState("sort", "-created");
  const search = useDeferredValue(q);
  const filters = useMemo<RunFilters>(
    () => ({ q: search.trim(), status, tag: tag.trim(), sort, columns: "" }),
    [search, status, tag, sort],
  );
  const pages = useRunPages(projectId, filters);
  const known = useMemo(() => addressesOf(pages.loaded), [pages.loaded]);
  const { columns, toggle } = useColumns(projectId, known);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [editing, setEditing] = useState<RunSummary | null>(null);
  const mayEdit = workspace.role !== "viewer";
  useBell(projectId, ({ what }) => {
    if (what === "runs" || what === "everything") {
      pages.reload();
    }
  });
  const select = (id: string, on: boolean) =>
    setSelected((before) => {
      const next = new Set(before);
      if (on) {
        next.add(id);
      } else {
        next.delete(id);
      }
      return next;
    });
  const filtered = q !== "" || status !== "" || tag !== "";
  const clear = () => {
    setQ("");
    setStatus("");
    setTag("");
  };
  return (
    <div className={styles.page}>
      <div className="page-head" style={{ marginBottom: 12 }}>
        <h1>{t("Runs")}</h1>
        {pages.total !== null && <span className="muted">{tn("{count} run", "{count} runs", pages.total)}</span>}
        <span className="push">
          {selected.size > 0 && (
            <Button variant="quiet" onClick={() => setSelected(new Set())}>
              {t("Clear selection")}
            </Button>
          )}
          <CompareButton projectId={projectId} selected={selected} />
        </span>
      </div>
      <div className={styles.filters}>
        <Input
          type="search"
          style={{ width: 260 }}
          placeholder={t("Search by name, tag or note")}
          aria-label={t("Search by name, tag or note")}
          value={q}
          onChange={(event) => setQ(event.target.value)}
        />
        <Select
          aria-label={t("Status")}
          style={{ width: 150 }}
          value={status}
          onChange={(event) => setStatus(event.target.value)}
          options={[
            { value: "", label: t("Any status") },
            { value: "queued", label: t("Queued") },
            { value: "running", label: t("Running") },
            { value: "succeeded", label: t("Succeeded") },
            { value: "failed", label: t("Failed") },
            { value: "cancelled", label: t("Cancelled") },
          ]}
        />
        <Input
          style={{ width: 130 }}
          placeholder={t("Tag")}
          aria-label={t("Tag")}
          value={tag}
          onChange={(event) => setTag(event.target.value)}
        />
        {filtered && (
          <Button variant="quiet" icon="close" onClick={clear}>
            {t("Clear filters")}
          </Button>
        )}
        <span className="push">
          <Menu
            label={t("Columns")}
            text={t("Columns")}
            icon="columns"
            keepOpen
            items={[
              ...known.metrics.map((address) => entry(address, columns, toggle)),
              ...(known.config.length > 0 ? (["separator"] as const) : []),
              ...known.config.map((address) => entry(address, columns, toggle)),
            ]}
          />
        </span>
      </div>
      {pages.error && pages.total === null ? (
        <ErrorState error={pages.error} retry={pages.reload} />
      ) : pages.total === null ? (
        <LoadingState />
      ) : pages.total === 0 ? (
        <NoRuns filtered={filtered} clear={clear} projectId={projectId} />
      ) : (
        <RunsTable
          projectId={projectId}
          pages={pages}
          columns={columns}
          sort={sort}
          onSort={setSort}
          selected={selected}
          onSelect={select}
          onEdit={mayEdit ? setEditing : null}
        />
      )}
      {editing && (
        <EditRunDialog
          run={editing}
          onClose={() => setEditing(null)}
          onSaved={() => {
            setEditing(null);
            pages.reload();
          }}
        />
      )}
    </div>
  );
}

function entry(address: string, columns: readonly string[], toggle: (address: string) => void) {
  return { label: address, checked: columns.includes(address), onSelect: () => toggle(address) };
}

function CompareButton({ projectId, selected }: { projectId: string; selected: ReadonlySet<string> }) {
  const count = selected.size;
  if (count < 2 || count > MOST_COMPARED) {
    const why = count < 2 ? t("Select two or more runs") : t("Select at most {count} runs", { count: MOST_COMPARED });
    return (
      <Button icon="compare" disabled title={why}>
        {t("Compare")}
      </Button>
    );
  }
  return (
    <LinkButton variant="primary" icon="compare" href={urls.compare(projectId, [...selected])}>
      {t("Compare {count} runs", { count })}
    </LinkButton>
  );
}

function NoRuns({ filtered, clear, projectId }: { filtered: boolean; clear: () => void; projectId: string }) {
  return filtered ? (
    <EmptyState
      icon="filter"
      title={t("No run matches")}
      actions={<Button onClick={clear}>{t("Clear filters")}</Button>}
    />
  ) : (
    <EmptyState
      icon="play"
      title={t("No runs yet")}
      actions={
        <LinkButton variant="primary" href={urls.pipelines(projectId)}>
          {t("Open a pipeline")}
        </LinkButton>
      }
    >
      {t("Open a pipeline and press Run. Every run is kept here with its curves and results.")}
    </EmptyState>
  );
}
