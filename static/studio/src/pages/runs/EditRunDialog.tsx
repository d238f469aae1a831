/** Name, tags and notes of a run. */
import { useState } from "react";
import { t } from "../../i18n";
import { api } from "../../lib/api";
import type { RunSummary } from "../../lib/runTypes";
import { Field, FormDialog, Input, Textarea } from "../../ui";

export interface EditRunDialogProps {
  run: Pick<RunSummary, "id" | "name" | "tags" | "notes">;
  onClose: () => void;
  onSaved: () => void;
}

export function parseTags(text: string): string[] {
  return [...new Set(text.split(/[,，、;；]/).map((tag) => tag.trim()))].filter(Boolean);
}

export function EditRunDialog({ run, onClose, onSaved }: EditRunDialogProps) {
  const [name, setName] = useState(run.name);
  const [tags, setTags] = useState(run.tags.join(", "));
  const [notes, setNotes] = useState(run.notes);
  return (
    <FormDialog
      title={t("Edit run")}
      action={t("Save")}
      onClose={onClose}
      onSubmit={async () => {
        await api.patch(`/runs/${run.id}`, { name: name.trim(), tags: parseTags(tags), notes });
        onSaved();
      }}
    >
      <Field label={t("Name")}>
        <Input data-autofocus value={name} maxLength={120} onChange={(event) => setName(event.target.value)} />
      </Field>
      <Field label={t("Tags")} help={t("Separated by commas")}>
        <Input value={tags} onChange={(event) => setTags(event.target.value)} />
      </Field>
      <Field label={t("Notes")}>
        <Textarea rows={4} value={notes} onChange={(event) => setNotes(event.target.value)} />
      </Field>
    </FormDialog>
  );
}
