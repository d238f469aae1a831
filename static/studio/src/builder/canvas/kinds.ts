/** How kinds of artifacts and categories of blocks look: one colour a kind, one icon a category. */
import type { IconName } from "../../ui";

const KINDS = new Set([
  "dataset",
  "images",
  "table",
  "text",
  "model",
  "metrics",
  "figure",
  "front",
  "predictions",
  "file",
]);

/** CSS colour of a kind; kinds that other packages bring share one. */
export const kindColour = (kind: string): string => `var(--kind-${KINDS.has(kind) ? kind : "other"})`;

const ICONS: Readonly<Record<string, IconName>> = {
  data: "table",
  model: "model",
  train: "chart",
  compress: "compress",
  evaluate: "compare",
  predict: "image",
  code: "edit",
  export: "download",
};

export const categoryIcon = (category: string): IconName => ICONS[category] ?? "graph";

const CATEGORIES = new Set(Object.keys(ICONS));

export const categoryToken = (category: string): string =>
  `--category-${CATEGORIES.has(category) ? category : "other"}`;
