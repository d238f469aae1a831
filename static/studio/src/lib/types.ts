/**
 * The shapes that the REST API and the page props speak; those of runs are in `runTypes.ts`.
 *
 * Mirrors the server's schemas; used by every page and by the builder. Holds no logic.
 */

export type Role = "owner" | "editor" | "viewer";
export type Theme = "system" | "light" | "dark";

export interface User {
  id: string;
  name: string;
  email?: string;
  language: string;
  theme: Theme;
}

export interface PageProps {
  user: User;
  workspace: { id: string; name: string; role: Role; canRunCode: boolean };
  project: { id: string; name: string } | null;
  csrf: string;
  urls?: Record<string, string>;
  pipelineId?: string;
  runId?: string;
  modelId?: string;
  dataId?: string;
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface StudioErrorJson {
  kind: "user" | "transient" | "cancelled" | "bug";
  message: string;
  template?: string;
  values?: Record<string, Json>;
  hint?: string | null;
  hint_template?: string | null;
  block?: string | null;
  field?: string | null;
  traceback?: string | null;
}

export interface PipelineDocument {
  format: string;
  name: string;
  seed: number;
  blocks: Record<string, BlockJson>;
  wires: [string, string][];
  layout: {
    positions: Record<string, [number, number]>;
    notes: NoteJson[];
    frames: Json[];
  };
}

export interface BlockJson {
  type: string;
  params: Record<string, Json>;
  label?: string;
  bypass?: boolean;
}

export interface NoteJson {
  id: string;
  text: string;
  position: [number, number];
  size?: [number, number];
}

export interface Problem {
  block: string | null;
  field: string | null;
  severity: "error" | "warning" | "info" | "hint";
  message: string;
  template: string;
  values: Record<string, Json>;
  hint?: string | null;
}

export interface Pipeline {
  id: string;
  name: string;
  project: string;
  version: number;
  document: PipelineDocument;
  problems: Problem[];
  can_edit: boolean;
  updated: string;
}

export interface PipelineSummary {
  id: string;
  name: string;
  version: number;
  updated: string;
  blocks?: number;
  document?: PipelineDocument;
}

export interface Template {
  id: string;
  title: string;
  summary: string;
  document: PipelineDocument;
}

export type Operation = { op: string } & Record<string, Json | undefined>;

export interface CatalogPort {
  name: string;
  kinds: string[];
  optional: boolean;
  many: boolean;
}

export interface CatalogOutput {
  name: string;
  kind: string;
  measured: boolean;
}

export interface ParamSchema {
  title?: string;
  description?: string;
  default?: Json;
  type?: string;
  enum?: Json[];
  anyOf?: ParamSchema[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  unit?: string;
  widget?: "slider" | "code" | "text" | "artifact" | "path" | "column" | null;
  choices?: Json;
  advanced?: boolean;
  group?: string;
}

export interface CatalogBlock {
  id: string;
  title: string;
  summary: string;
  doc: string;
  category: string;
  version: number;
  needs: "cpu" | "gpu";
  required: boolean;
  permission: string | null;
  resources: string[];
  cacheable: boolean;
  code: string;
  params: { properties?: Record<string, ParamSchema>; required?: string[] };
  inputs: CatalogPort[];
  outputs: CatalogOutput[];
  examples: Record<string, Json>[];
}

export interface Catalog {
  format: string;
  digest: string;
  blocks: Record<string, CatalogBlock>;
  kinds: Record<string, string[]>;
  categories: { id: string; title: string }[];
}

export type Preview =
  | {
      kind: "images";
      total: number;
      items: { src: string; label?: string; predicted?: string; probability?: number }[];
    }
  | { kind: "table"; columns: string[]; rows: Json[][]; total: number }
  | {
      kind: "texts";
      total: number;
      items: { text: string; label?: string | null; predicted?: string; probability?: number }[];
    }
  | { kind: "figure"; figure: PlotlyFigureJson }
  | { kind: "metrics"; values: Record<string, number> };

export interface PlotlyFigureJson {
  data: Record<string, unknown>[];
  layout?: Record<string, unknown>;
}

export interface ArtifactManifest {
  digest?: string;
  kind: string;
  files: Record<string, { sha256: string; size: number }>;
  meta: Record<string, Json>;
  refs: string[];
}

export interface DataFile {
  id: string;
  name: string;
  kind: string;
  size: number;
  status: "inspecting" | "ready" | "failed";
  digest: string | null;
  detected: Record<string, Json>;
  options: Record<string, Json>;
  /** The part of `options` that a person set. */
  corrections?: Record<string, Json>;
  preview: Preview | null;
  profile: PlotlyFigureJson | null;
  error: StudioErrorJson | null;
  created?: string;
}

export interface RegisteredModel {
  id: string;
  name: string;
  digest: string;
  created: string;
  run?: string | null;
  block?: string | null;
  task?: string | null;
  size?: number;
  model?: Record<string, Json> | null;
  metrics?: Record<string, number>;
}

export interface Items<T> {
  items: T[];
  total: number;
}
