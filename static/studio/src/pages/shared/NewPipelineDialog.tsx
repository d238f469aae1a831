/** Make a pipeline: blank, from a template (each with its picture), from a file, or by pasting its JSON. */
import { useState } from "react";
import { t } from "../../i18n";
import { api } from "../../lib/api";
import { useLoad } from "../../lib/live";
import type { Items, Pipeline, PipelineDocument, Template } from "../../lib/types";
import { urls } from "../../lib/urls";
import { DropZone, ErrorState, Field, FormDialog, Icon, Input, LoadingState, Notice, Tabs, Textarea } from "../../ui";
import styles from "../cards.module.css";
import { DocumentGraph } from "./DocumentGraph";

type Source = "template" | "blank" | "file" | "paste";

/** A pipeline document from text; the server checks it in full, here only that it can be one. */
export function readDocument(text: string): PipelineDocument | string {
  try {
    const value = JSON.parse(text) as Partial<PipelineDocument> | null;
    if (!value || typeof value !== "object" || typeof value.format !== "string" || !value.blocks) {
      return t("This is JSON, but not a pipeline.");
    }
    return value as PipelineDocument;
  } catch {
    return t("This is not valid JSON.");
  }
}

export function NewPipelineDialog({ projectId, onClose }: { projectId: string; onClose: () => void }) {
  const [source, setSource] = useState<Source>("template");
  const [name, setName] = useState("");
  const [template, setTemplate] = useState<string | null>(null);
  const [text, setText] = useState("");
  const [fileName, setFileName] = useState("");
  const read = text.trim() === "" ? null : readDocument(text);
  const document = typeof read === "object" ? read : null;
  const ready = source === "blank" || (source === "template" ? template !== null : document !== null);

  const submit = async () => {
    const body: Record<string, unknown> = { name: name.trim() || document?.name || t("Untitled pipeline") };
    if (source === "template") {
      body.template = template;
    } else if (source !== "blank") {
      body.document = document;
    }
    const pipeline = await api.post<Pipeline>(`/projects/${projectId}/pipelines`, body);
    window.location.assign(urls.pipeline(projectId, pipeline.id));
  };

  return (
    <FormDialog
      title={t("New pipeline")}
      action={t("Create pipeline")}
      wide
      disabled={!ready}
      onClose={onClose}
      onSubmit={submit}
    >
      <Field label={t("Name")}>
        <Input
          data-autofocus
          value={name}
          maxLength={120}
          placeholder={document?.name ?? t("Untitled pipeline")}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      <Tabs
        label={t("Where the pipeline comes from")}
        value={source}
        onChange={(id) => setSource(id as Source)}
        tabs={[
          { id: "template", label: t("From a template") },
          { id: "blank", label: t("Blank") },
          { id: "file", label: t("From a file") },
          { id: "paste", label: t("Paste") },
        ]}
      >
        <div style={{ paddingTop: 16 }}>
          {source === "template" && (
            <Templates
              chosen={template}
              onChoose={(one) => {
                setTemplate(one.id);
                setName((before) => before || one.title);
              }}
            />
          )}
          {source === "blank" && <p className="muted">{t("An empty canvas. Drag blocks from the palette.")}</p>}
          {source === "file" && (
            <DropZone
              label={t("Choose a pipeline file")}
              accept=".json,application/json"
              onFiles={([file]) => {
                setFileName(file!.name);
                void file!.text().then(setText);
              }}
            >
              <Icon name="upload" size={22} />
              <span>{fileName || t("Drop a pipeline file here, or click to choose one")}</span>
            </DropZone>
          )}
          {source === "paste" && (
            <Field label={t("Pipeline JSON")}>
              <Textarea
                rows={10}
                className="mono"
                spellCheck={false}
                value={text}
                onChange={(event) => setText(event.target.value)}
              />
            </Field>
          )}
          {(source === "file" || source === "paste") && typeof read === "string" && (
            <Notice tone="danger">{read}</Notice>
          )}
          {(source === "file" || source === "paste") && document && (
            <div className={styles.picture} style={{ margin: "12px 0 0", border: 0 }}>
              <DocumentGraph picture document={document} label={document.name} maxHeight={96} />
            </div>
          )}
        </div>
      </Tabs>
    </FormDialog>
  );
}

function Templates({ chosen, onChoose }: { chosen: string | null; onChoose: (template: Template) => void }) {
  const { data, error, reload } = useLoad<Items<Template> | Template[]>("/templates");
  if (error) {
    return <ErrorState compact error={error} retry={reload} />;
  }
  if (!data) {
    return <LoadingState compact />;
  }
  const templates = Array.isArray(data) ? data : data.items;
  return (
    <div className={styles.choices}>
      {templates.map((template) => (
        <button
          key={template.id}
          type="button"
          className={styles.choice}
          aria-pressed={template.id === chosen}
          onClick={() => onChoose(template)}
        >
          <span className={styles.picture}>
            <DocumentGraph picture document={template.document} label={t(template.title)} maxHeight={72} />
          </span>
          <span className={styles.choiceText}>
            <b>{t(template.title)}</b>
            <span className="muted small">{t(template.summary)}</span>
          </span>
        </button>
      ))}
    </div>
  );
}
