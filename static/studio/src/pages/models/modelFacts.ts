/** What a reader wants to know of a model, from its `model.json`. */
import { t } from "../../i18n";
import type { Json, RegisteredModel } from "../../lib/types";

export interface ModelFacts {
  task: string;
  architecture: string;
  inputKind: string;
  shape: number[] | null;
  columns: string[];
  /** Tokens that a text may have. */
  length: number | null;
  labels: string[];
  metrics: Record<string, number>;
}

const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function numbersOf(value: Json | undefined): Record<string, number> {
  const entries = isObject(value) ? Object.entries(value) : [];
  return Object.fromEntries(entries.filter((entry): entry is [string, number] => typeof entry[1] === "number"));
}

export function factsOf(model: RegisteredModel): ModelFacts {
  const spec = { ...(model as unknown as Record<string, Json>), ...model.model };
  const input = isObject(spec.input) ? spec.input : {};
  const columns = Array.isArray(input.columns) ? input.columns : [];
  return {
    task: String(spec.task ?? ""),
    architecture: String(spec.architecture ?? ""),
    inputKind: String(input.kind ?? ""),
    shape: Array.isArray(input.shape) ? (input.shape as number[]) : null,
    columns: columns.map((column) => (isObject(column) ? String(column.name) : String(column))),
    length: typeof input.length === "number" ? input.length : null,
    labels: Array.isArray(spec.labels) ? spec.labels.map(String) : [],
    metrics: { ...numbersOf(model.metrics), ...numbersOf(model.model?.metrics) },
  };
}

export function taskLabel(task: string): string {
  switch (task) {
    case "classification":
      return t("Classification");
    case "regression":
      return t("Regression");
    case "language_model":
      return t("Language model");
    case "masked_lm":
      return t("Masked language model");
    case "reconstruction":
      return t("Reconstruction");
    default:
      return task || "–";
  }
}
