/**
 * Pipelines inside files: a pipeline's JSON, a finished figure, a model bundle (a zip whose `model.json` carries the
 * document that made it). Everything is read in the browser; nothing is uploaded.
 */
import { strFromU8, unzip } from "fflate";
import { type Parsed, parseDocument } from "../graph/document";
import { message } from "../graph/types";

const MAX_TEXT_BYTES = 32 * 2 ** 20;
/** Only these entries of a bundle are unpacked, and none that claims to be larger than a text can be. */
const CARRIERS = new Set(["model.json", "pipeline.json", "figure.json"]);

const refuse = (template: string, values = {}): Parsed => ({ ok: false, problem: message(template, values) });

/** The pipeline in a file, or why there is none. */
export async function readPipelineFile(file: File): Promise<Parsed> {
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  if (head[0] === 0x50 && head[1] === 0x4b) return readBundle(file);
  if (file.size > MAX_TEXT_BYTES) return refuse('"{file}" is too large to be a pipeline.', { file: file.name });
  return readText(await file.text(), file.name);
}

async function readBundle(file: File): Promise<Parsed> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const entries = await new Promise<Record<string, Uint8Array> | null>((resolve) => {
    unzip(
      bytes,
      { filter: (entry) => CARRIERS.has(entry.name) && entry.originalSize <= MAX_TEXT_BYTES },
      (error, found) => resolve(error ? null : found),
    );
  });
  if (!entries) return refuse('"{file}" is damaged: it cannot be unpacked.', { file: file.name });
  for (const name of CARRIERS) {
    const entry = entries[name];
    if (entry) return readText(strFromU8(entry), file.name);
  }
  return refuse('"{file}" carries no pipeline.', { file: file.name });
}

/** A pipeline, or anything that carries one under `provenance.document` or a figure's `layout.meta`. */
export function readText(text: string, file: string): Parsed {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return refuse('"{file}" is not a pipeline: it is not JSON.', { file });
  }
  return parseDocument(carriedDocument(raw) ?? raw);
}

function carriedDocument(raw: unknown): unknown {
  const at = (value: unknown, key: string): unknown =>
    typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  const provenances = [
    at(raw, "provenance"),
    at(at(at(raw, "layout"), "meta"), "provenance"),
    at(at(raw, "meta"), "provenance"),
  ];
  for (const provenance of provenances) {
    const document = at(provenance, "document");
    if (document !== undefined && document !== null) return document;
  }
  return undefined;
}

/** Save text as a file on the person's machine. */
export function download(text: string, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

export const fileNameOf = (name: string): string =>
  `${
    name
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}]+/gu, "-")
      .replaceAll(/^-+|-+$/g, "") || "pipeline"
  }.json`;
