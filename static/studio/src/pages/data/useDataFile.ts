/** One uploaded file, read again until its inspection has ended. */
import { useEffect } from "react";
import { type Loaded, useBell, useLoad } from "../../lib/live";
import type { DataFile, StudioErrorJson } from "../../lib/types";

const POLL_MS = 1000;

export function useDataFile(id: string | null, projectId: string): Loaded<DataFile> {
  const loaded = useLoad<DataFile>(id ? `/data/${id}` : null);
  const { data, reload } = loaded;
  const inspecting = data?.status === "inspecting";
  useBell(projectId, ({ what, id: changed }) => {
    if (id && (what === "everything" || (what === "data" && (changed === id || changed === null)))) {
      reload();
    }
  });
  useEffect(() => {
    if (inspecting) {
      const timer = setInterval(reload, POLL_MS);
      return () => clearInterval(timer);
    }
  }, [inspecting, reload]);
  return loaded;
}

type Problem = Pick<StudioErrorJson, "message" | "template" | "values"> & {
  severity: "error" | "warning" | "info";
  field?: string | null;
  hint?: string | null;
  hint_template?: string | null;
};

/** What the inspection found in a file. */
export interface Findings {
  columns: { name: string; type: string; missing: number; unique: number }[];
  classes: string[] | null;
  count: number | null;
  target: string | null;
  task: string | null;
  skipped: { name: string; why: string }[];
  problems: Problem[];
}

function listOf<T>(value: unknown): T[] {
  return Array.isArray(value) ? (value as T[]) : [];
}

/** The findings with every list present, also while the file is still being looked at. */
export function findingsOf(file: DataFile): Findings {
  const found = file as unknown as Record<string, unknown>;
  return {
    columns: listOf(found.columns),
    classes: Array.isArray(found.classes) ? found.classes.map(String) : null,
    count: typeof found.count === "number" ? found.count : null,
    target: typeof found.target === "string" && found.target ? found.target : null,
    task: typeof found.task === "string" ? found.task : null,
    skipped: listOf(found.skipped),
    problems: listOf(found.problems),
  };
}
