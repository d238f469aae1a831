/** One parameter: label, control, unit, help, "changed from default" with reset, and its error. */
import { useId } from "react";
import { type Field, isChanged, valueIn, valueProblem } from "../../graph/params";
import type { BlockEntry } from "../../graph/types";
import { t } from "../../i18n";
import { IconButton } from "../../ui";
import { useBuilder, useBuilderState } from "../store/context";
import { edit } from "../store/edits";
import { tMessage } from "../texts";
import { Control } from "./controls";

interface ParamFieldProps {
  readonly id: string;
  readonly block: BlockEntry;
  readonly field: Field;
}

export function ParamField({ id, block, field }: ParamFieldProps) {
  const { store } = useBuilder();
  const canEdit = useBuilderState((state) => state.canEdit);
  const canRunCode = useBuilderState((state) => state.canRunCode);
  const server = useBuilderState((state) => state.problems.find((one) => one.block === id && one.field === field.name));
  const controlId = useId();
  const value = valueIn(block, field);
  const changed = isChanged(block, field);
  const local = valueProblem(field, value);
  const error = local ? tMessage(local) : server ? tMessage(server) : null;
  const locked = field.kind === "code" && !canRunCode;
  return (
    <div className="param" data-field={field.name} data-changed={changed || undefined}>
      <div className="param-label">
        <label htmlFor={controlId}>{t(field.title)}</label>
        {changed && (
          <>
            <span className="param-changed" title={t("Changed from {default}", { default: showValue(field.default) })}>
              {t("changed")}
            </span>
            <IconButton
              small
              icon="undo"
              label={t("Reset to {default}", { default: showValue(field.default) })}
              disabled={!canEdit}
              onClick={() => edit(store, [{ op: "reset_param", id, name: field.name }])}
            />
          </>
        )}
      </div>
      <Control
        controlId={controlId}
        field={field}
        value={value}
        disabled={!canEdit || locked}
        invalid={error !== null}
        describedBy={`${controlId}-help`}
        onChange={(next) => edit(store, [{ op: "set_param", id, name: field.name, value: next }])}
      />
      {error && (
        <p className="field-error" role="alert">
          {error}
        </p>
      )}
      <p className="param-help" id={`${controlId}-help`}>
        {locked ? t("You need the permission to run code to change this.") : t(field.help)}
      </p>
    </div>
  );
}

function showValue(value: unknown): string {
  if (value === null || value === undefined) return t("nothing");
  if (value === "") return t("an empty text");
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
