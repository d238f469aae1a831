/** The pipelines of a project, each with its picture; a new one comes blank, from a template, a file or a paste. */
import { useState } from "react";
import { t, tn } from "../i18n";
import { api } from "../lib/api";
import { formatAge } from "../lib/format";
import { useBell, useLoad } from "../lib/live";
import type { Items, PageProps, PipelineSummary } from "../lib/types";
import { urls } from "../lib/urls";
import { Button, EmptyState, ErrorState, FormDialog, LinkButton, LoadingState, Menu } from "../ui";
import styles from "./cards.module.css";
import { DocumentGraph } from "./shared/DocumentGraph";
import { NewPipelineDialog } from "./shared/NewPipelineDialog";

export default function Pipelines({ workspace, project }: PageProps) {
  const projectId = project?.id ?? "";
  const path = `/projects/${projectId}/pipelines`;
  const { data, error, reload } = useLoad<Items<PipelineSummary>>(path);
  const [making, setMaking] = useState(false);
  const [deleting, setDeleting] = useState<PipelineSummary | null>(null);
  const mayEdit = workspace.role !== "viewer";
  useBell(projectId, ({ what }) => {
    if (what === "pipelines" || what === "everything") {
      reload();
    }
  });
  const actions = mayEdit && (
    <>
      <LinkButton icon="upload" href={urls.start(projectId)}>
        {t("Start with my data")}
      </LinkButton>
      <Button variant="primary" icon="plus" onClick={() => setMaking(true)}>
        {t("New pipeline")}
      </Button>
    </>
  );
  return (
    <>
      <div className="page-head">
        <h1>{t("Pipelines")}</h1>
        <span className="push">{actions}</span>
      </div>
      {error && !data ? (
        <ErrorState error={error} retry={reload} />
      ) : !data ? (
        <LoadingState />
      ) : data.items.length === 0 ? (
        <EmptyState icon="graph" title={t("No pipelines yet")} actions={actions}>
          {t("A pipeline takes data through models to results. Start from a template and change what you like.")}
        </EmptyState>
      ) : (
        <ul className={styles.cards}>
          {data.items.map((pipeline) => (
            <li key={pipeline.id} className={styles.card}>
              {pipeline.document && (
                <div className={styles.picture} aria-hidden="true">
                  <DocumentGraph picture document={pipeline.document} label={pipeline.name} maxHeight={96} />
                </div>
              )}
              <div className={styles.line}>
                <a className={styles.cover} href={urls.pipeline(projectId, pipeline.id)}>
                  {pipeline.name}
                </a>
                {mayEdit && (
                  <span className={styles.tools}>
                    <Menu
                      small
                      label={t("Actions for {title}", { title: pipeline.name })}
                      items={[
                        {
                          label: t("Duplicate"),
                          icon: "copy",
                          onSelect: () => void duplicate(path, pipeline).then(reload),
                        },
                        { label: t("Delete"), icon: "trash", danger: true, onSelect: () => setDeleting(pipeline) },
                      ]}
                    />
                  </span>
                )}
              </div>
              <span className="muted small">
                {pipeline.document &&
                  `${tn("{count} block", "{count} blocks", Object.keys(pipeline.document.blocks).length)} · `}
                {t("Changed {age}", { age: formatAge(pipeline.updated) })}
              </span>
            </li>
          ))}
        </ul>
      )}
      {making && <NewPipelineDialog projectId={projectId} onClose={() => setMaking(false)} />}
      {deleting && (
        <FormDialog
          title={t("Delete {name}?", { name: deleting.name })}
          action={t("Delete pipeline")}
          danger
          onClose={() => setDeleting(null)}
          onSubmit={async () => {
            await api.del(`/pipelines/${deleting.id}`);
            setDeleting(null);
            reload();
          }}
        >
          <p>{t("Runs that were made from it stay.")}</p>
        </FormDialog>
      )}
    </>
  );
}

async function duplicate(path: string, pipeline: PipelineSummary): Promise<void> {
  const full = await api.get<{ document: object }>(`/pipelines/${pipeline.id}`);
  await api.post(path, { name: t("{name} (copy)", { name: pipeline.name }), document: full.document });
}
