/** How a table is read: what was detected, and what a person sets instead. Every change reads the file again. */
import { t } from "../../i18n";
import type { DataFile, Json } from "../../lib/types";
import { Field, Input, Select } from "../../ui";
import { findingsOf } from "./useDataFile";

type Options = Record<string, Json>;

interface Choice {
  name: string;
  label: string;
  values: { value: string; label: string }[];
}

function choices(): Choice[] {
  const yesNo = [
    { value: "yes", label: t("yes") },
    { value: "no", label: t("no") },
  ];
  return [
    {
      name: "delimiter",
      label: t("Delimiter"),
      values: [
        { value: ",", label: t("Comma") },
        { value: ";", label: t("Semicolon") },
        { value: "\t", label: t("Tab") },
        { value: "|", label: t("Vertical bar") },
        { value: " ", label: t("Space") },
      ],
    },
    {
      name: "encoding",
      label: t("Encoding"),
      values: ["utf-8", "utf-16", "gb18030", "big5", "shift_jis", "cp1252", "latin-1"].map((value) => ({
        value,
        label: value.toUpperCase(),
      })),
    },
    { name: "header", label: t("First row holds the names"), values: yesNo },
    {
      name: "decimal",
      label: t("Decimal sign"),
      values: [
        { value: ".", label: t("Point") },
        { value: ",", label: t("Comma") },
      ],
    },
    { name: "day_first", label: t("Dates begin with the day"), values: yesNo },
    {
      name: "ragged",
      label: t("Rows of the wrong length"),
      values: [
        { value: "error", label: t("Report as an error") },
        { value: "skip", label: t("Leave out") },
        { value: "pad", label: t("Fill up") },
      ],
    },
  ];
}

export interface TableOptionsProps {
  file: DataFile;
  disabled: boolean;
  onChange: (options: Options) => void;
}

/** The corrections with one more; "auto" takes one back, so that it is detected again. */
export function corrected(own: Options, name: string, value: Json): Options {
  const { [name]: _before, ...rest } = own;
  return value === "auto" || value === "" ? rest : { ...rest, [name]: value };
}

export function TableOptions({ file, disabled, onChange }: TableOptionsProps) {
  const own = file.corrections ?? {};
  const set = (name: string, value: Json) => onChange(corrected(own, name, value));
  const isExcel = /\.xlsx?$/i.test(file.name);
  const isText = !isExcel && !/\.parquet$/i.test(file.name);
  return (
    <div style={{ display: "grid", gridTemplateColumns: "repeat(auto-fill, minmax(170px, 1fr))", gap: 12 }}>
      {isText &&
        choices().map((choice) => (
          <OptionField
            key={choice.name}
            choice={choice}
            value={own[choice.name]}
            detected={file.detected[choice.name] ?? file.options[choice.name]}
            disabled={disabled}
            onChange={(value) => set(choice.name, value)}
          />
        ))}
      {isExcel && (
        <Field label={t("Sheet")}>
          <Input
            defaultValue={String(own.sheet ?? "")}
            placeholder={String(file.detected.sheet ?? "")}
            disabled={disabled}
            onBlur={(event) => event.target.value !== String(own.sheet ?? "") && set("sheet", event.target.value)}
          />
        </Field>
      )}
    </div>
  );
}

interface OptionFieldProps {
  choice: Choice;
  value: Json | undefined;
  detected: Json | undefined;
  disabled: boolean;
  onChange: (value: string) => void;
}

function asText(value: Json | undefined): string {
  return value === true ? "yes" : value === false ? "no" : value === undefined || value === null ? "" : String(value);
}

function OptionField({ choice, value, detected, disabled, onChange }: OptionFieldProps) {
  const found = asText(detected);
  const foundLabel = choice.values.find((one) => one.value === found)?.label ?? found;
  const automatic = choice.name === "ragged" ? [] : [{ value: "auto", label: autoLabel(foundLabel) }];
  const current = asText(value) || (automatic.length > 0 ? "auto" : "error");
  const values =
    choice.values.some((one) => one.value === current) || current === "auto"
      ? choice.values
      : [...choice.values, { value: current, label: current }];
  return (
    <Field label={choice.label}>
      <Select
        value={current}
        disabled={disabled}
        options={[...automatic, ...values]}
        onChange={(event) => onChange(event.target.value)}
      />
    </Field>
  );
}

function autoLabel(found: string): string {
  return found && found !== "auto" ? t("Detected: {value}", { value: found }) : t("Detect");
}

const TYPES = ["number", "category", "text", "date", "boolean", "ignore"];

export function typeLabel(type: string): string {
  const labels: Record<string, () => string> = {
    number: () => t("Number"),
    category: () => t("Category"),
    text: () => t("Text"),
    date: () => t("Date"),
    boolean: () => t("Yes or no"),
    ignore: () => t("Leave out"),
  };
  return labels[type]?.() ?? type;
}

/** The columns with their type, gaps and distinct values; a wrongly guessed type is set right here. */
export function ColumnTable({ file, disabled, onChange }: TableOptionsProps) {
  const { columns } = findingsOf(file);
  const own = (file.corrections?.columns ?? {}) as Record<string, string>;
  const present = new Set(columns.map((column) => column.name));
  const leftOut = Object.keys(own).filter((name) => own[name] === "ignore" && !present.has(name));
  const rows = [...columns, ...leftOut.map((name) => ({ name, type: "ignore", missing: null, unique: null }))];
  return (
    <div className="table-scroll">
      <table className="table">
        <thead>
          <tr>
            <th>{t("Column")}</th>
            <th>{t("Type")}</th>
            <th className="numeric">{t("Missing")}</th>
            <th className="numeric">{t("Distinct")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((column) => (
            <tr key={column.name}>
              <td>{column.name}</td>
              <td style={{ width: 190 }}>
                <Select
                  aria-label={t("Type of {name}", { name: column.name })}
                  value={own[column.name] ?? column.type}
                  disabled={disabled}
                  options={TYPES.map((type) => ({ value: type, label: typeLabel(type) }))}
                  onChange={(event) =>
                    onChange({ ...file.corrections, columns: { ...own, [column.name]: event.target.value } })
                  }
                />
              </td>
              <td className="numeric">{column.missing}</td>
              <td className="numeric">{column.unique}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
