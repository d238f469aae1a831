/** Give a trained model a name, so that it is kept, found and tried. */
import { useState } from "react";
import { t } from "../../i18n";
import { api } from "../../lib/api";
import type { Run } from "../../lib/runTypes";
import type { RegisteredModel } from "../../lib/types";
import { urls } from "../../lib/urls";
import { Field, FormDialog, Input } from "../../ui";

export interface RegisterDialogProps {
  run: Run;
  block: string;
  port: string;
  onClose: () => void;
}

export function RegisterDialog({ run, block, port, onClose }: RegisterDialogProps) {
  const [name, setName] = useState(run.name || run.document.name);
  return (
    <FormDialog
      title={t("Register model")}
      action={t("Register model")}
      disabled={name.trim() === ""}
      onClose={onClose}
      onSubmit={async () => {
        const body = { name: name.trim(), run: run.id, block, port };
        const model = await api.post<RegisteredModel>(`/projects/${run.project}/models`, body);
        window.location.assign(urls.model(run.project, model.id));
      }}
    >
      <p className="muted">{t("A registered model is kept, can be tried with your own files and downloaded.")}</p>
      <Field label={t("Name")}>
        <Input data-autofocus value={name} maxLength={120} onChange={(event) => setName(event.target.value)} />
      </Field>
    </FormDialog>
  );
}
