/**
 * Texts in the language of the page. The English template is the key: `t("Delete {name}?", { name })`.
 *
 * Called by everything that shows a text. Knows nothing of React. A test reads every `t("...")` call
 * and fails when `zh-Hans` lacks its entry.
 */
import { formatNumber, language } from "../lib/format";
import type { StudioErrorJson } from "../lib/types";

export type Values = Record<string, unknown>;

let texts: Record<string, string> = {};

const chinese = import.meta.glob<{ default: Record<string, string> }>("./zh-Hans/*.json");

/** Fetch the texts of the page's language; `main.tsx` waits for it before it mounts the page. */
export async function loadTexts(): Promise<void> {
  if (!language().toLowerCase().startsWith("zh")) {
    texts = {};
    return;
  }
  const parts = await Promise.all(Object.values(chinese).map((load) => load()));
  texts = Object.assign({}, ...parts.map((part) => part.default));
}

/** Replace the texts; for tests. */
export function setTexts(next: Record<string, string>): void {
  texts = next;
}

function show(value: unknown): string {
  if (typeof value === "number") {
    return formatNumber(value);
  }
  if (value === null || value === undefined) {
    return "–";
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Values that are words of the studio (kinds, ports, tasks), not of a person: they are translated too. */
const WORDS = new Set(["kind", "kinds", "port", "takes", "given", "taken", "task"]);

function showWords(value: string): string {
  return value
    .split(", ")
    .map((word) => texts[word] ?? texts[word.replace(/_/g, " ")] ?? word)
    .join(texts[", "] ?? ", ");
}

/** The text for an English template, with `{name}` filled from `values`. */
export function t(template: string, values?: Values): string {
  const text = texts[template] ?? template;
  if (!values) {
    return text;
  }
  return text.replace(/\{(\w+)(?:[:!][^{}]*)?\}/g, (whole, name: string) =>
    name in values ? (WORDS.has(name) ? showWords(show(values[name])) : show(values[name])) : whole,
  );
}

/** A text that counts: English has a form for one, the key of other languages is the form for many. */
export function tn(one: string, many: string, count: number, values?: Values): string {
  const template = count === 1 && !(many in texts) ? one : many;
  return t(template, { count, ...values });
}

/** The message of an engine or server error, translated by its template. */
export function tError(error: Pick<StudioErrorJson, "message" | "template" | "values">): string {
  return error.template ? t(error.template, error.values ?? {}) : t(error.message);
}

/** Marks a template that is translated later, where it is shown: `t(item.label)`. */
export function msg(template: string): string {
  return template;
}
