/** The projects of a workspace: open, make, rename, delete. */
import { useState } from "react";
import { t } from "../i18n";
import { api } from "../lib/api";
import { formatAge } from "../lib/format";
import { useLoad } from "../lib/live";
import type { Items, PageProps } from "../lib/types";
import { urls } from "../lib/urls";
import { Button, EmptyState, ErrorState, Field, FormDialog, Icon, Input, LoadingState, Menu } from "../ui";
import styles from "./cards.module.css";

interface ProjectJson {
  id: string;
  name: string;
  created?: string;
}

type Open = { what: "new" } | { what: "rename" | "delete"; project: ProjectJson } | null;

export default function Projects({ workspace }: PageProps) {
  const path = `/workspaces/${workspace.id}/projects`;
  const { data, error, reload } = useLoad<Items<ProjectJson>>(path);
  const [open, setOpen] = useState<Open>(null);
  const mayEdit = workspace.role !== "viewer";
  const done = () => {
    setOpen(null);
    reload();
  };
  const make = mayEdit && (
    <Button variant="primary" icon="plus" onClick={() => setOpen({ what: "new" })}>
      {t("New project")}
    </Button>
  );
  return (
    <>
      <div className="page-head">
        <h1>{t("Projects")}</h1>
        <span className="push">{make}</span>
      </div>
      {error && !data ? (
        <ErrorState error={error} retry={reload} />
      ) : !data ? (
        <LoadingState />
      ) : data.items.length === 0 ? (
        <EmptyState icon="folder" title={t("No projects yet")} actions={make}>
          {t("A project holds pipelines, their runs, models and data.")}
        </EmptyState>
      ) : (
        <ul className={styles.cards}>
          {data.items.map((project) => (
            <li key={project.id} className={styles.card}>
              <div className={styles.line}>
                <Icon name="folder" />
                <a className={styles.cover} href={urls.pipelines(project.id)}>
                  {project.name}
                </a>
                {mayEdit && (
                  <span className={styles.tools}>
                    <Menu
                      small
                      label={t("Actions for {title}", { title: project.name })}
                      items={[
                        { label: t("Rename"), icon: "edit", onSelect: () => setOpen({ what: "rename", project }) },
                        {
                          label: t("Delete"),
                          icon: "trash",
                          danger: true,
                          onSelect: () => setOpen({ what: "delete", project }),
                        },
                      ]}
                    />
                  </span>
                )}
              </div>
              {project.created && (
                <span className="muted small">{t("Created {age}", { age: formatAge(project.created) })}</span>
              )}
            </li>
          ))}
        </ul>
      )}
      {open?.what === "new" && (
        <NameDialog
          title={t("New project")}
          action={t("Create project")}
          onClose={() => setOpen(null)}
          onSubmit={async (name) => {
            const project = await api.post<ProjectJson>(path, { name });
            window.location.assign(urls.pipelines(project.id));
          }}
        />
      )}
      {open?.what === "rename" && (
        <NameDialog
          title={t("Rename project")}
          action={t("Rename")}
          initial={open.project.name}
          onClose={() => setOpen(null)}
          onSubmit={async (name) => {
            await api.patch(`/projects/${open.project.id}`, { name });
            done();
          }}
        />
      )}
      {open?.what === "delete" && (
        <FormDialog
          title={t("Delete {name}?", { name: open.project.name })}
          action={t("Delete project")}
          danger
          onClose={() => setOpen(null)}
          onSubmit={async () => {
            await api.del(`/projects/${open.project.id}`);
            done();
          }}
        >
          <p>{t("Its pipelines, runs, models and data are deleted with it. This cannot be undone.")}</p>
        </FormDialog>
      )}
    </>
  );
}

interface NameDialogProps {
  title: string;
  action: string;
  initial?: string;
  onSubmit: (name: string) => Promise<void>;
  onClose: () => void;
}

export function NameDialog({ title, action, initial = "", onSubmit, onClose }: NameDialogProps) {
  const [name, setName] = useState(initial);
  return (
    <FormDialog
      title={title}
      action={action}
      disabled={name.trim() === ""}
      onClose={onClose}
      onSubmit={() => onSubmit(name.trim())}
    >
      <Field label={t("Name")}>
        <Input data-autofocus value={name} maxLength={120} onChange={(event) => setName(event.target.value)} />
      </Field>
    </FormDialog>
  );
}
