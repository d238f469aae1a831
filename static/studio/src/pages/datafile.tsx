/** One uploaded file: what was detected, corrected where it is wrong; preview, overview, columns. */
import { t, tn } from "../i18n";
import { api } from "../lib/api";
import { formatBytes, formatNumber } from "../lib/format";
import type { DataFile, Json, PageProps } from "../lib/types";
import { urls } from "../lib/urls";
import { ErrorState, LinkButton, LoadingState, useToast } from "../ui";
import { FileStatus } from "./data";
import { FilePreview, FileProblems, FileProfile } from "./data/FileReport";
import { ColumnTable, TableOptions } from "./data/TableOptions";
import { findingsOf, useDataFile } from "./data/useDataFile";

export default function DataFilePage({ dataId, project, workspace }: PageProps) {
  const projectId = project?.id ?? "";
  const { data: file, error, reload, set } = useDataFile(dataId ?? null, projectId);
  const toast = useToast();
  if (error && !file) {
    return <ErrorState error={error} retry={reload} />;
  }
  if (!file) {
    return <LoadingState />;
  }
  const mayEdit = workspace.role !== "viewer";
  const change = async (options: Record<string, Json>) => {
    set({ ...file, corrections: options, status: "inspecting" });
    try {
      set(await api.patch<DataFile>(`/data/${file.id}`, { options }));
    } catch (reason) {
      toast.error(reason);
      reload();
    }
  };
  const { count, columns, classes } = findingsOf(file);
  const disabled = !mayEdit || file.status === "inspecting";
  return (
    <div className="stack">
      <div className="page-head" style={{ marginBottom: 0 }}>
        <h1>{file.name}</h1>
        <FileStatus file={file} />
        <span className="muted">
          {formatBytes(file.size)}
          {count !== null && ` · ${countLabel(file.kind, count)}`}
          {columns.length > 0 && ` · ${tn("{count} column", "{count} columns", columns.length)}`}
          {classes && ` · ${tn("{count} class", "{count} classes", classes.length)}`}
        </span>
        <span className="push">
          {mayEdit && file.status === "ready" && (
            <LinkButton variant="primary" icon="play" href={`${urls.start(projectId)}?data=${file.id}`}>
              {t("Train a model with it")}
            </LinkButton>
          )}
        </span>
      </div>
      <FileProblems file={file} />
      {(file.kind === "table" || /\.(csv|tsv|txt|xlsx?)$/i.test(file.name)) && (
        <section className="card" aria-label={t("How the file is read")}>
          <div className="card-head">
            <h2>{t("How the file is read")}</h2>
          </div>
          <div className="card-body">
            <TableOptions file={file} disabled={disabled} onChange={(options) => void change(options)} />
          </div>
        </section>
      )}
      {file.status !== "failed" && <FilePreview file={file} />}
      <FileProfile file={file} />
      {columns.length > 0 && (
        <section className="card" aria-label={t("Columns")}>
          <div className="card-head">
            <h2>{t("Columns")}</h2>
          </div>
          <ColumnTable file={file} disabled={disabled} onChange={(options) => void change(options)} />
        </section>
      )}
      {classes && classes.length > 0 && (
        <section className="card card-body row row-wrap" aria-label={t("Classes")}>
          <h2 style={{ marginRight: 8 }}>{t("Classes")}</h2>
          {classes.slice(0, 60).map((name) => (
            <span key={name} className="chip">
              {name}
            </span>
          ))}
          {classes.length > 60 && <span className="muted">{formatNumber(classes.length)}</span>}
        </section>
      )}
    </div>
  );
}

function countLabel(kind: string, count: number): string {
  return kind === "images"
    ? tn("{count} image", "{count} images", count)
    : kind === "table"
      ? tn("{count} row", "{count} rows", count)
      : tn("{count} file", "{count} files", count);
}
