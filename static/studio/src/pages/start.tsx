/** "Start with my data": drop a file, choose what to predict, train. The pipeline opens on the canvas. */
import { useEffect, useState } from "react";
import { t, tn } from "../i18n";
import { api, idempotencyKey } from "../lib/api";
import { useLoad } from "../lib/live";
import type { DataFile, Items, PageProps, Pipeline } from "../lib/types";
import { urls } from "../lib/urls";
import {
  Button,
  DropZone,
  EmptyState,
  ErrorState,
  Field,
  Icon,
  LoadingState,
  Progress,
  Segmented,
  Select,
  useToast,
} from "../ui";
import { FilePreview, FileProblems } from "./data/FileReport";
import { ACCEPT, useUploads } from "./data/fileActions";
import { UploadList } from "./data/UploadList";
import { findingsOf, useDataFile } from "./data/useDataFile";
import styles from "./start.module.css";

export default function Start({ project, workspace }: PageProps) {
  const projectId = project?.id ?? "";
  const [id, setId] = useState(() => new URLSearchParams(window.location.search).get("data"));
  const uploads = useUploads(projectId, (file) => setId(file.id));
  const loaded = useDataFile(id, projectId);
  if (workspace.role === "viewer") {
    return <EmptyState title={t("You may look, but not train")}>{t("Ask an owner to make you an editor.")}</EmptyState>;
  }
  const file = id ? loaded.data : null;
  return (
    <div className={styles.page}>
      <h1>{t("Start with my data")}</h1>
      <Step number={1} title={t("Your data")} done={file?.status === "ready"}>
        {file ? (
          <div className="row row-wrap">
            <Icon name={file.kind === "images" ? "image" : "table"} />
            <b>{file.name}</b>
            <Button small onClick={() => setId(null)}>
              {t("Choose another file")}
            </Button>
          </div>
        ) : (
          <ChooseFile projectId={projectId} onFiles={uploads.add} onChoose={setId} busy={uploads.list.length > 0} />
        )}
        <UploadList uploads={uploads} />
        {id && loaded.error && !file && <ErrorState compact error={loaded.error} retry={loaded.reload} />}
        {file?.status === "inspecting" && (
          <div>
            <p className="muted">{t("Finding out what the file holds…")}</p>
            <Progress value={null} label={t("Looking into it")} />
          </div>
        )}
        {file && file.status !== "inspecting" && <FileProblems file={file} />}
        {file && (
          <p className="small">
            <a href={urls.dataFile(projectId, file.id)}>{t("See and correct how it is read")}</a>
          </p>
        )}
      </Step>
      {file?.status === "ready" && isReadable(file) && <Choose file={file} projectId={projectId} />}
    </div>
  );
}

/** False while the file has to be corrected before anything can be trained on it; a wrong target can be chosen here. */
function isReadable(file: DataFile): boolean {
  return findingsOf(file).problems.every((problem) => problem.severity !== "error" || problem.field === "target");
}

interface StepProps {
  number: number;
  title: string;
  done?: boolean;
  children: React.ReactNode;
}

function Step({ number, title, done, children }: StepProps) {
  return (
    <section className={styles.step} aria-label={title}>
      <span className={styles.number} data-done={done || undefined}>
        {done ? <Icon name="check" size={14} /> : number}
      </span>
      <div className="stack">
        <h2>{title}</h2>
        {children}
      </div>
    </section>
  );
}

interface ChooseFileProps {
  projectId: string;
  busy: boolean;
  onFiles: (files: File[]) => void;
  onChoose: (id: string) => void;
}

function ChooseFile({ projectId, busy, onFiles, onChoose }: ChooseFileProps) {
  const { data } = useLoad<Items<DataFile>>(`/projects/${projectId}/data`);
  const ready = (data?.items ?? []).filter((file) => file.status === "ready");
  return (
    <>
      {!busy && (
        <DropZone label={t("Choose a file")} accept={ACCEPT} onFiles={onFiles}>
          <Icon name="upload" size={26} />
          <b>{t("Drop your file here, or click to choose")}</b>
          <span className="small">
            {t("A table (CSV, Parquet, Excel), or a zip of images with one folder for each class.")}
          </span>
        </DropZone>
      )}
      {ready.length > 0 && (
        <div style={{ maxWidth: 360 }}>
          <Field label={t("Or one that is already here")}>
            <Select
              value=""
              options={[
                { value: "", label: t("Choose…") },
                ...ready.map((file) => ({ value: file.id, label: file.name })),
              ]}
              onChange={(event) => event.target.value && onChoose(event.target.value)}
            />
          </Field>
        </div>
      )}
    </>
  );
}

type Task = "classification" | "regression";

/** A guess from the column: numbers with many values are an amount, the rest are classes. */
export function guessTask(column: { type: string; unique: number } | undefined): Task {
  return column?.type === "number" && column.unique > 20 ? "regression" : "classification";
}

function Choose({ file, projectId }: { file: DataFile; projectId: string }) {
  const found = findingsOf(file);
  const columns = found.columns.filter((column) => column.type !== "ignore" && column.type !== "date");
  const last = columns[columns.length - 1]?.name ?? "";
  const [target, setTarget] = useState(found.target ?? last);
  const column = columns.find((one) => one.name === target);
  const [task, setTask] = useState<Task>((found.task as Task | null) ?? guessTask(column));
  const [busy, setBusy] = useState(false);
  const toast = useToast();
  const isTable = file.kind === "table";

  useEffect(() => {
    if (isTable && target !== found.target) {
      setTask(guessTask(column));
    }
  }, [isTable, target, found.target, column]);

  const train = async () => {
    setBusy(true);
    try {
      const body = isTable ? { target, task } : { target: null, task: "classification" };
      const pipeline = await api.post<Pipeline>(`/data/${file.id}/pipeline`, body);
      await api.post(`/pipelines/${pipeline.id}/runs`, {}, idempotencyKey());
      window.location.assign(urls.pipeline(projectId, pipeline.id));
    } catch (reason) {
      toast.error(reason);
      setBusy(false);
    }
  };
  return (
    <>
      <Step number={2} title={t("What to predict")} done={!isTable || target !== ""}>
        {isTable ? (
          <div className="row row-wrap" style={{ alignItems: "end", gap: 16 }}>
            <div style={{ width: 280 }}>
              <Field label={t("Column")}>
                <Select
                  value={target}
                  options={columns.map((one) => ({ value: one.name, label: one.name }))}
                  onChange={(event) => setTarget(event.target.value)}
                />
              </Field>
            </div>
            <Segmented<Task>
              label={t("Task")}
              value={task}
              onChange={setTask}
              options={[
                { value: "classification", label: t("A class") },
                { value: "regression", label: t("A number") },
              ]}
            />
            {column && (
              <span className="muted small">
                {tn("{count} distinct value", "{count} distinct values", column.unique)}
                {column.missing > 0 && ` · ${t("{count} missing", { count: column.missing })}`}
              </span>
            )}
          </div>
        ) : file.kind === "text" ? (
          <p>{t("The next word: the model learns to continue this text.")}</p>
        ) : (
          <p>
            {tn(
              "The class of an image: {count} class found.",
              "The class of an image: {count} classes found.",
              found.classes?.length ?? 0,
            )}
          </p>
        )}
      </Step>
      <Step number={3} title={t("Train")}>
        <p className="muted">{t("A pipeline is made and starts. You can change every part of it afterwards.")}</p>
        <div>
          <Button
            variant="primary"
            icon="play"
            busy={busy}
            disabled={isTable && target === ""}
            onClick={() => void train()}
          >
            {t("Train")}
          </Button>
        </div>
      </Step>
      {file.preview ? <FilePreview file={file} /> : <LoadingState compact />}
    </>
  );
}
