/** One registered model: facts, numbers, where it comes from, files; and a place to try it. */
import { useState } from "react";
import { t } from "../i18n";
import { api } from "../lib/api";
import { formatBytes, formatDate, formatMetric } from "../lib/format";
import { useLoad } from "../lib/live";
import type { ArtifactManifest, PageProps, RegisteredModel } from "../lib/types";
import { artifactFile, urls } from "../lib/urls";
import { EmptyState, ErrorState, FormDialog, Icon, LoadingState, Menu } from "../ui";
import { factsOf, type ModelFacts, taskLabel } from "./models/modelFacts";
import styles from "./models/models.module.css";
import { TryIt } from "./models/TryIt";
import { NameDialog } from "./projects";

export default function ModelPage({ modelId, project, workspace }: PageProps) {
  const projectId = project?.id ?? "";
  const { data: model, error, reload } = useLoad<RegisteredModel>(`/models/${modelId}`);
  const [dialog, setDialog] = useState<"rename" | "delete" | null>(null);
  if (error && !model) {
    return <ErrorState error={error} retry={reload} />;
  }
  if (!model) {
    return <LoadingState />;
  }
  const mayEdit = workspace.role !== "viewer";
  const facts = factsOf(model);
  return (
    <div className="stack">
      <div className="page-head" style={{ marginBottom: 0 }}>
        <Icon name="model" size={20} />
        <h1>{model.name}</h1>
        <span className="push">
          {mayEdit && (
            <Menu
              label={t("Actions for {title}", { title: model.name })}
              items={[
                { label: t("Rename"), icon: "edit", onSelect: () => setDialog("rename") },
                { label: t("Delete"), icon: "trash", danger: true, onSelect: () => setDialog("delete") },
              ]}
            />
          )}
        </span>
      </div>
      <div className={styles.layout}>
        {mayEdit ? (
          <TryIt modelId={model.id} inputKind={facts.inputKind} task={facts.task} />
        ) : (
          <section className="card">
            <EmptyState compact title={t("Only editors can try a model")} />
          </section>
        )}
        <Facts model={model} projectId={projectId} workspaceId={workspace.id} />
      </div>
      {dialog === "rename" && (
        <NameDialog
          title={t("Rename model")}
          action={t("Rename")}
          initial={model.name}
          onClose={() => setDialog(null)}
          onSubmit={async (name) => {
            await api.patch(`/models/${model.id}`, { name });
            setDialog(null);
            reload();
          }}
        />
      )}
      {dialog === "delete" && (
        <FormDialog
          title={t("Delete {name}?", { name: model.name })}
          action={t("Delete model")}
          danger
          onClose={() => setDialog(null)}
          onSubmit={async () => {
            await api.del(`/models/${model.id}`);
            window.location.assign(urls.models(projectId));
          }}
        >
          <p>{t("The run that trained it stays.")}</p>
        </FormDialog>
      )}
    </div>
  );
}

interface FactsProps {
  model: RegisteredModel;
  projectId: string;
  workspaceId: string;
}

function Facts({ model, projectId, workspaceId }: FactsProps) {
  const manifest = useLoad<ArtifactManifest>(`/workspaces/${workspaceId}/artifacts/${model.digest}`);
  const facts = factsOf(model);
  const rows: [string, React.ReactNode][] = [
    [t("Task"), taskLabel(facts.task)],
    [t("Architecture"), facts.architecture],
    [t("Input"), inputOf(facts)],
    [t("Classes"), facts.labels.slice(0, 20).join(", ")],
    ...Object.entries(facts.metrics).map(([name, value]): [string, string] => [
      t(name.replaceAll("_", " ")),
      formatMetric(value),
    ]),
    [t("Registered"), formatDate(model.created)],
  ];
  return (
    <section className="card" aria-label={t("About the model")}>
      <div className="card-head">
        <h2>{t("About the model")}</h2>
      </div>
      <div className="card-body stack">
        <dl className={styles.facts}>
          {rows
            .filter(([, value]) => value)
            .map(([name, value]) => (
              <Fact key={name} name={name} value={value} />
            ))}
          {model.run && (
            <Fact name={t("Trained by")} value={<a href={urls.run(projectId, model.run)}>{t("Open the run")}</a>} />
          )}
          <Fact name={t("Digest")} value={<code className="small">{model.digest}</code>} />
        </dl>
        <ul style={{ margin: 0, padding: 0, listStyle: "none" }} aria-label={t("Files")}>
          {Object.entries(manifest.data?.files ?? {}).map(([name, { size }]) => (
            <li key={name} className="row">
              <Icon name="download" size={13} />
              <a href={artifactFile(workspaceId, model.digest, name)} download={name}>
                {name}
              </a>
              <span className="muted small">{formatBytes(size)}</span>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

function inputOf({ inputKind, shape, columns, length }: ModelFacts): string {
  if (inputKind === "tokens") {
    return length === null ? t("Text") : t("Text of up to {count} tokens", { count: length });
  }
  return shape ? shape.join(" × ") : columns.slice(0, 12).join(", ");
}

function Fact({ name, value }: { name: string; value: React.ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}
