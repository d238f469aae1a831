/** What the data page, its detail and "Start with my data" do with uploaded files. */
import { useCallback, useEffect, useRef, useState } from "react";
import { type Upload, uploadFile } from "../../lib/api";
import type { DataFile } from "../../lib/types";

export const ACCEPT = ".csv,.tsv,.txt,.parquet,.xlsx,.xls,.zip";

export interface Uploading {
  id: number;
  name: string;
  sent: number;
  total: number;
  error: Error | null;
}

export interface Uploads {
  list: Uploading[];
  add: (files: File[]) => void;
  cancel: (id: number) => void;
}

/** Uploads with progress; a failed one stays in the list until it is put away. */
export function useUploads(projectId: string, onDone: (file: DataFile) => void): Uploads {
  const [list, setList] = useState<Uploading[]>([]);
  const running = useRef(new Map<number, Upload<DataFile>>());
  const counter = useRef(0);
  const done = useRef(onDone);
  done.current = onDone;

  const change = useCallback(
    (id: number, part: Partial<Uploading>) =>
      setList((all) => all.map((one) => (one.id === id ? { ...one, ...part } : one))),
    [],
  );
  const remove = useCallback((id: number) => setList((all) => all.filter((one) => one.id !== id)), []);

  const add = useCallback(
    (files: File[]) => {
      for (const file of files) {
        counter.current += 1;
        const id = counter.current;
        setList((all) => [...all, { id, name: file.name, sent: 0, total: file.size, error: null }]);
        const upload = uploadFile<DataFile>(`/projects/${projectId}/data`, file, { name: file.name }, (sent, total) =>
          change(id, { sent, total }),
        );
        running.current.set(id, upload);
        upload.done.then(
          (made) => {
            remove(id);
            done.current(made);
          },
          (reason: unknown) => {
            if (reason instanceof DOMException && reason.name === "AbortError") {
              remove(id);
            } else {
              change(id, { error: reason instanceof Error ? reason : new Error(String(reason)) });
            }
          },
        );
      }
    },
    [projectId, change, remove],
  );

  const cancel = useCallback(
    (id: number) => {
      running.current.get(id)?.cancel();
      remove(id);
    },
    [remove],
  );

  useEffect(() => {
    const leave = (event: BeforeUnloadEvent) => event.preventDefault();
    const busy = list.some((one) => one.error === null);
    if (busy) {
      window.addEventListener("beforeunload", leave);
    }
    return () => window.removeEventListener("beforeunload", leave);
  }, [list]);
  return { list, add, cancel };
}
