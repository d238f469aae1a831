/** The files of a project: upload by dropping, see what was found, open, delete. */
import { useState } from "react";
import { t } from "../i18n";
import { api } from "../lib/api";
import { formatAge, formatBytes } from "../lib/format";
import { useBell, useLoad } from "../lib/live";
import type { DataFile, Items, PageProps } from "../lib/types";
import { urls } from "../lib/urls";
import { Badge, DropZone, EmptyState, ErrorState, FormDialog, Icon, IconButton, LinkButton, LoadingState } from "../ui";
import { ACCEPT, useUploads } from "./data/fileActions";
import { UploadList } from "./data/UploadList";
import { kindLabel } from "./run/Outputs";

export default function Data({ project, workspace }: PageProps) {
  const projectId = project?.id ?? "";
  const { data, error, reload } = useLoad<Items<DataFile>>(`/projects/${projectId}/data`);
  const uploads = useUploads(projectId, reload);
  const [deleting, setDeleting] = useState<DataFile | null>(null);
  const mayEdit = workspace.role !== "viewer";
  useBell(projectId, ({ what }) => {
    if (what === "data" || what === "everything") {
      reload();
    }
  });
  return (
    <div className="stack">
      <div className="page-head" style={{ marginBottom: 0 }}>
        <h1>{t("Data")}</h1>
        <span className="push">
          {mayEdit && (
            <LinkButton variant="primary" icon="play" href={urls.start(projectId)}>
              {t("Start with my data")}
            </LinkButton>
          )}
        </span>
      </div>
      {mayEdit && (
        <DropZone label={t("Choose files to upload")} accept={ACCEPT} multiple onFiles={uploads.add}>
          <Icon name="upload" size={22} />
          <b>{t("Drop files here, or click to choose")}</b>
          <span className="small">
            {t("Tables: CSV, Parquet, Excel. Images: a zip with one folder for each class.")}
          </span>
        </DropZone>
      )}
      <UploadList uploads={uploads} />
      {error && !data ? (
        <ErrorState error={error} retry={reload} />
      ) : !data ? (
        <LoadingState />
      ) : data.items.length === 0 ? (
        <EmptyState icon="table" title={t("No data yet")}>
          {t("Upload a table or images. What the file holds is found out and shown, and you can correct it.")}
        </EmptyState>
      ) : (
        <DataTable files={data.items} projectId={projectId} onDelete={mayEdit ? setDeleting : null} />
      )}
      {deleting && (
        <FormDialog
          title={t("Delete {name}?", { name: deleting.name })}
          action={t("Delete file")}
          danger
          onClose={() => setDeleting(null)}
          onSubmit={async () => {
            await api.del(`/data/${deleting.id}`);
            setDeleting(null);
            reload();
          }}
        >
          <p>{t("Pipelines that read it can no longer run.")}</p>
        </FormDialog>
      )}
    </div>
  );
}

export function FileStatus({ file }: { file: DataFile }) {
  if (file.status === "inspecting") {
    return (
      <Badge tone="accent">
        <Icon name="spinner" size={12} />
        {t("Looking into it")}
      </Badge>
    );
  }
  return file.status === "failed" ? (
    <Badge tone="danger">{t("Cannot be read")}</Badge>
  ) : (
    <Badge tone="ok">{t("Ready")}</Badge>
  );
}

interface DataTableProps {
  files: DataFile[];
  projectId: string;
  onDelete: ((file: DataFile) => void) | null;
}

function DataTable({ files, projectId, onDelete }: DataTableProps) {
  return (
    <section className="card table-scroll" aria-label={t("Data")}>
      <table className="table">
        <thead>
          <tr>
            <th>{t("Name")}</th>
            <th>{t("Kind")}</th>
            <th>{t("Status")}</th>
            <th className="numeric">{t("Size")}</th>
            <th>{t("Uploaded")}</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {files.map((file) => (
            <tr key={file.id}>
              <td>
                <a href={urls.dataFile(projectId, file.id)}>{file.name}</a>
              </td>
              <td>
                <span className="row">
                  <Icon name={file.kind === "images" ? "image" : file.kind === "table" ? "table" : "file"} size={14} />
                  {file.kind ? t(kindLabel(file.kind)) : "–"}
                </span>
              </td>
              <td>
                <FileStatus file={file} />
              </td>
              <td className="numeric">{formatBytes(file.size)}</td>
              <td className="muted">{file.created ? formatAge(file.created) : ""}</td>
              <td style={{ textAlign: "right" }}>
                {onDelete && (
                  <IconButton
                    icon="trash"
                    small
                    label={t("Delete {name}?", { name: file.name })}
                    onClick={() => onDelete(file)}
                  />
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
