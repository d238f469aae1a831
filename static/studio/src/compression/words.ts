/** Names and numbers of the measures in the language of the page. */
import { t } from "../i18n";
import { formatBytes, formatNumber, formatPercent, language } from "../lib/format";
import type { Candidate, Measure, Words } from "./candidates";
import type { BeforeAfterRow } from "./comparison";

export function measureLabel(measure: Measure): string {
  switch (measure) {
    case "latency_ms":
      return t("Latency");
    case "size_bytes":
      return t("Size on disk");
    case "accuracy":
      return t("Accuracy");
    case "agreement":
      return t("Agreement");
    case "perplexity":
      return t("Perplexity");
    case "params":
      return t("Parameters");
    case "macs":
      return t("Multiply-adds");
  }
}

const compact = (value: number): string =>
  new Intl.NumberFormat(language(), { notation: "compact", maximumSignificantDigits: 3 }).format(value);

export function measureText(measure: Measure, value: number | null): string {
  if (value === null) {
    return "–";
  }
  switch (measure) {
    case "latency_ms":
      return t("{time} ms", { time: formatNumber(value, 3) });
    case "size_bytes":
      return formatBytes(value);
    case "accuracy":
    case "agreement":
      return formatPercent(value, 2);
    case "perplexity":
      return formatNumber(value, 4);
    default:
      return compact(value);
  }
}

/** What an axis says: the name and its unit. */
export function axisTitle(measure: Measure): string {
  const unit = { latency_ms: "ms", size_bytes: "MB" }[measure as string];
  return unit ? t("{measure} in {unit}", { measure: measureLabel(measure), unit }) : measureLabel(measure);
}

/** The change in the words of the trade: times faster, percent smaller, points of accuracy. */
export function changeText({ measure, before, after }: BeforeAfterRow): string {
  if (measure === "accuracy" || measure === "agreement") {
    const points = formatNumber(100 * (after - before), 2);
    return t("{points} points", { points: after > before ? `+${points}` : points.replace("-", "−") });
  }
  if (before <= 0 || after <= 0) {
    return "–";
  }
  if (measure === "latency_ms") {
    return after <= before
      ? t("{times}× faster", { times: formatNumber(before / after, 3) })
      : t("{times}× slower", { times: formatNumber(after / before, 3) });
  }
  const share = formatPercent(Math.abs(1 - after / before), 1);
  return after <= before ? `−${share}` : `+${share}`;
}

/** Why a candidate was refused: a code of the search, or words. */
export function reasonText(reason: Words): string {
  switch (reason.template) {
    case "slower":
      return t("Slower on this machine");
    case "accuracy":
      return t("Loses more accuracy than allowed");
    case "differs":
      return t("Computes something else than the original");
    case "failed":
      return t("Could not be made of this model");
    default:
      return t(reason.template, reason.values);
  }
}

/** One step of how a candidate was made, such as `prune 25%` or `3 in fp32`. */
export function stepText(step: Words): string {
  const [, share] = /^prune (\d+%)$/.exec(step.template) ?? [];
  const [, count] = /^(\d+) in fp32$/.exec(step.template) ?? [];
  if (share) {
    return t("prune {share}", { share });
  }
  return count ? t("{count} layers in fp32", { count: Number(count) }) : t(step.template, step.values);
}

/** How far a candidate came, in one word. */
export function statusText(candidate: Candidate, onFront: boolean): string {
  if (candidate.baseline) {
    return t("Baseline");
  }
  return candidate.refused ? t("Refused") : onFront ? t("On the front") : t("Beaten");
}
