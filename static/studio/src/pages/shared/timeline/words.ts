/** Decisions in words: the name of a kind, the message, a value of the evidence. */
import { t } from "../../../i18n";
import { type Decision, directionOf } from "../../../lib/decisions";
import { formatMetric } from "../../../lib/format";
import type { Json } from "../../../lib/types";

export function kindLabel(kind: string): string {
  switch (kind) {
    case "probe":
      return t("Speed probe");
    case "precision":
      return t("Precision");
    case "attribution":
      return t("Cause found");
    case "batch":
      return t("Batch");
    case "rank":
      return t("Process");
    default:
      return t(kind.replaceAll("_", " "));
  }
}

/** The look of a marker: what kind of news it is. */
export function toneOf(decision: Decision): "safer" | "faster" | "probe" | "cause" | "other" {
  const direction = directionOf(decision);
  if (direction !== null) {
    return direction;
  }
  return decision.kind === "probe" || decision.kind === "precision"
    ? "probe"
    : decision.kind === "attribution"
      ? "cause"
      : "other";
}

export function messageOf(decision: Decision): string {
  return decision.template ? t(decision.template, decision.values) : decision.message;
}

/** A name of the evidence as words: `gradient_norm` and `timings.bf16`. */
export function evidenceName(name: string): string {
  return name
    .split(".")
    .map((part) => t(part.replaceAll("_", " ")))
    .join(": ");
}

export function evidenceValue(value: Json): string {
  if (typeof value === "number") {
    return formatMetric(value);
  }
  if (typeof value === "boolean") {
    return value ? t("Yes") : t("No");
  }
  if (value === null) {
    return "–";
  }
  const text = typeof value === "string" ? t(value) : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 199)}…` : text;
}
