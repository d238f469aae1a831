/** The control for each kind of parameter. A control reports every valid or half-typed value; errors are shown beside. */
import { useEffect, useState } from "react";
import { type Field, sameJson } from "../../graph/params";
import { t } from "../../i18n";
import { ArtifactControl } from "./ArtifactControl";
import { CodeControl } from "./CodeControl";

export interface ControlProps {
  readonly controlId: string;
  readonly field: Field;
  readonly value: unknown;
  readonly disabled: boolean;
  readonly invalid: boolean;
  readonly describedBy: string;
  readonly onChange: (value: unknown) => void;
}

export function Control(props: ControlProps) {
  switch (props.field.kind) {
    case "number":
    case "integer":
      return <NumberControl {...props} />;
    case "boolean":
      return <BooleanControl {...props} />;
    case "choice":
      return <ChoiceControl {...props} />;
    case "code":
      return <CodeControl {...props} />;
    case "artifact":
      return <ArtifactControl {...props} />;
    case "json":
      return <JsonControl {...props} />;
    default:
      return <TextControl {...props} />;
  }
}

const attributes = ({ controlId, disabled, invalid, describedBy }: ControlProps) => ({
  id: controlId,
  disabled,
  "aria-invalid": invalid || undefined,
  "aria-describedby": describedBy,
});

function NumberControl(props: ControlProps) {
  const { field, value, onChange } = props;
  const [draft, setDraft] = useState<string | null>(null);
  const shown = draft ?? (value === null || value === undefined ? "" : String(value));
  const take = (text: string) => {
    setDraft(text);
    if (text.trim() === "") onChange(null);
    else if (Number.isFinite(Number(text))) onChange(Number(text));
  };
  return (
    <div className="param-number">
      {field.slider && <RangeControl {...props} />}
      <span className="param-unit">
        <input
          {...attributes(props)}
          type="text"
          inputMode="decimal"
          className="input numeric"
          value={shown}
          placeholder={field.nullable ? t("none") : undefined}
          onChange={(event) => take(event.target.value)}
          onBlur={() => setDraft(null)}
        />
        {field.unit && <span>{t(field.unit)}</span>}
      </span>
    </div>
  );
}

const STEPS = 200;

/** A slider; over a range of many powers of ten it moves on a logarithmic scale. */
function RangeControl({ field, value, disabled, onChange }: ControlProps) {
  const high = field.maximum ?? field.exclusiveMaximum ?? 1;
  const low = sliderLow(field, high);
  const logarithmic = low > 0 && high / low >= 1000;
  const toShare = (number: number) =>
    logarithmic ? Math.log(number / low) / Math.log(high / low) : (number - low) / (high - low);
  const fromShare = (share: number) => (logarithmic ? low * (high / low) ** share : low + share * (high - low));
  const set = (share: number) => {
    const raw = fromShare(share);
    const rounded = field.kind === "integer" ? Math.round(raw) : Number(raw.toPrecision(3));
    onChange(Math.min(allowedHigh(field, high), Math.max(allowedLow(field, low), rounded)));
  };
  const number = typeof value === "number" ? value : low;
  return (
    <input
      type="range"
      aria-label={t(field.title)}
      min={0}
      max={STEPS}
      step={1}
      value={Math.round(Math.min(1, Math.max(0, toShare(number))) * STEPS)}
      disabled={disabled}
      onChange={(event) => set(Number(event.target.value) / STEPS)}
    />
  );
}

const DECADES = 1e5;

/** A number that must only be above 0, such as a learning rate, is chosen over five powers of ten. */
function sliderLow(field: Field, high: number): number {
  const low = field.minimum ?? field.exclusiveMinimum ?? 0;
  return field.minimum === undefined && low === 0 && field.kind === "number" ? high / DECADES : low;
}

/** An exclusive bound itself is not allowed: stay one slider step inside. */
function allowedLow(field: Field, low: number): number {
  if (field.minimum !== undefined || low > (field.exclusiveMinimum ?? low)) return low;
  return field.kind === "integer" ? low + 1 : low + ((field.maximum ?? field.exclusiveMaximum ?? 1) - low) / STEPS;
}

function allowedHigh(field: Field, high: number): number {
  if (field.maximum !== undefined) return high;
  return field.kind === "integer" ? high - 1 : high - (high - (field.minimum ?? field.exclusiveMinimum ?? 0)) / STEPS;
}

function BooleanControl(props: ControlProps) {
  return (
    <span className="param-switch">
      <input
        {...attributes(props)}
        type="checkbox"
        checked={props.value === true}
        onChange={(event) => props.onChange(event.target.checked)}
      />
      <span>{props.value === true ? t("Yes") : t("No")}</span>
    </span>
  );
}

function ChoiceControl(props: ControlProps) {
  const { field, value, onChange } = props;
  const known = field.choices.some((choice) => sameJson(choice, value));
  const index = field.choices.findIndex((choice) => sameJson(choice, value));
  return (
    <select
      {...attributes(props)}
      value={value === null || value === undefined ? "none" : known ? index : "other"}
      onChange={(event) => onChange(event.target.value === "none" ? null : field.choices[Number(event.target.value)])}
    >
      {(field.nullable || value === null || value === undefined) && <option value="none">{t("none")}</option>}
      {!known && value !== null && value !== undefined && <option value="other">{String(value)}</option>}
      {field.choices.map((choice, at) => (
        <option key={String(choice)} value={at}>
          {t(String(choice))}
        </option>
      ))}
    </select>
  );
}

function TextControl(props: ControlProps) {
  const { field, value, onChange } = props;
  const listId = `${props.controlId}-list`;
  return (
    <>
      <input
        {...attributes(props)}
        type="text"
        className={`input ${field.kind === "path" ? "mono" : ""}`}
        list={field.choices.length > 0 ? listId : undefined}
        value={typeof value === "string" ? value : ""}
        placeholder={
          field.kind === "path" ? t("a file or folder on the server") : field.nullable ? t("none") : undefined
        }
        onChange={(event) => onChange(event.target.value === "" && field.nullable ? null : event.target.value)}
      />
      {field.choices.length > 0 && (
        <datalist id={listId}>
          {field.choices.map((choice) => (
            <option key={String(choice)} value={String(choice)} />
          ))}
        </datalist>
      )}
    </>
  );
}

/** Lists and objects as JSON text; a half-typed text stays here until it is JSON. */
function JsonControl(props: ControlProps) {
  const { value, onChange } = props;
  const text = JSON.stringify(value ?? null);
  const [draft, setDraft] = useState(text);
  const [broken, setBroken] = useState(false);
  useEffect(() => setDraft(text), [text]);
  return (
    <>
      <input
        {...attributes(props)}
        type="text"
        className="input mono"
        value={draft}
        onChange={(event) => {
          setDraft(event.target.value);
          setBroken(false);
        }}
        onBlur={() => {
          try {
            const next: unknown = JSON.parse(draft);
            if (!sameJson(next, value)) onChange(next);
          } catch {
            setBroken(true);
          }
        }}
      />
      {broken && <p className="field-error">{t("This is not JSON. Example: [0.5, 0.5]")}</p>}
    </>
  );
}
