/** Give a trained model a name, so that it is kept, found and tried. */
import { useState } from "react";
import { t } from "../../i18n";
import { api } from "../../lib/api";
import type { RegisteredModel } from "../../lib/types";
import { Field, FormDialog, Input } from "../../ui";

/** What a block of a run put out: by its port, or by the digest of a model that an output builds on. */
export interface ModelSource {
  run: string;
  block: string;
  port?: string;
  digest?: string;
}

export interface RegisterDialogProps {
  projectId: string;
  source: ModelSource;
  /** The name to begin with. */
  name: string;
  onRegistered: (model: RegisteredModel) => void;
  onClose: () => void;
}

export function RegisterDialog({ projectId, source, name: first, onRegistered, onClose }: RegisterDialogProps) {
  const [name, setName] = useState(first.slice(0, 120));
  return (
    <FormDialog
      title={t("Register model")}
      action={t("Register model")}
      disabled={name.trim() === ""}
      onClose={onClose}
      onSubmit={async () => {
        const body = { name: name.trim(), ...source };
        onRegistered(await api.post<RegisteredModel>(`/projects/${projectId}/models`, body));
      }}
    >
      <p className="muted">{t("A registered model is kept, can be tried with your own files and downloaded.")}</p>
      <Field label={t("Name")}>
        <Input data-autofocus value={name} maxLength={120} onChange={(event) => setName(event.target.value)} />
      </Field>
    </FormDialog>
  );
}
