/** Choosing one of the project's uploaded files; the value is its digest, so a later upload changes nothing. */
import { t } from "../../i18n";
import { formatBytes } from "../../lib/format";
import { useLoad } from "../../lib/live";
import type { DataFile, Items } from "../../lib/types";
import { useBuilderState } from "../store/context";
import type { ControlProps } from "./controls";

export function ArtifactControl({ controlId, value, field, disabled, invalid, describedBy, onChange }: ControlProps) {
  const projectId = useBuilderState((state) => state.projectId);
  const { data, error, loading, reload } = useLoad<Items<DataFile>>(`/projects/${projectId}/data`);
  const files = data?.items.filter((file) => file.digest !== null) ?? [];
  const known = files.some((file) => file.digest === value);
  return (
    <>
      <select
        id={controlId}
        value={typeof value === "string" && value ? value : ""}
        disabled={disabled}
        aria-invalid={invalid || undefined}
        aria-describedby={describedBy}
        onFocus={reload}
        onChange={(event) => onChange(event.target.value || (field.nullable ? null : ""))}
      >
        <option value="">{loading && !data ? t("Loading…") : t("Choose a file…")}</option>
        {typeof value === "string" && value && !known && <option value={value}>{`${value.slice(0, 19)}…`}</option>}
        {files.map((file) => (
          <option key={file.id} value={file.digest ?? ""}>
            {file.name} ({formatBytes(file.size)})
          </option>
        ))}
      </select>
      {error && <p className="field-error">{error.message}</p>}
      <a className="small" href={`/p/${projectId}/data`}>
        {t("Upload a file")}
      </a>
    </>
  );
}
