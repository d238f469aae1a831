/** One uploaded file, read again until its inspection has ended. */
import { useEffect } from "react";
import { type Loaded, useBell, useLoad } from "../../lib/live";
import type { DataFile } from "../../lib/types";

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

/** What the inspection found, wherever the answer carries it. */
export interface Findings {
  columns: { name: string; type: string; missing: number; unique: number }[];
  classes: string[] | null;
  count: number | null;
  target: string | null;
  task: string | null;
  skipped: { name: string; why: string }[];
  problems: {
    severity: "error" | "warning" | "info";
    message: string;
    template?: string;
    values?: Record<string, never>;
  }[];
}

export function findingsOf(file: DataFile): Findings {
  const found = { ...(file as unknown as Record<string, unknown>), ...file.detected } as Partial<Findings>;
  return {
    columns: found.columns ?? [],
    classes: found.classes ?? null,
    count: typeof found.count === "number" ? found.count : null,
    target: found.target ?? null,
    task: found.task ?? null,
    skipped: found.skipped ?? [],
    problems: found.problems ?? [],
  };
}
