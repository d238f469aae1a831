/**
 * The shapes that the REST API, the run socket and the page props speak.
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

export type RunStatus = "queued" | "running" | "succeeded" | "failed" | "cancelled";
export type BlockState = "waiting" | "running" | "done" | "cached" | "failed" | "skipped";

export interface Reason {
  code: string;
  template: string;
  values: Record<string, Json>;
  message: string;
}

export interface Progress {
  done: number;
  total: number;
  unit: string;
  eta_s: number | null;
}

export interface OutputJson {
  digest: string;
  kind: string;
  preview: boolean;
}

export interface BlockRun {
  state: BlockState;
  progress?: Progress | null;
  reason?: Reason | null;
  duration_s?: number | null;
  outputs?: Record<string, OutputJson>;
  error?: StudioErrorJson | null;
  metrics?: Record<string, number>;
  because?: string | null;
  /** The precision that its training uses now, once it has said so. */
  rung?: string | null;
  /** The run whose result was taken from the cache. */
  made_by?: Maker | null;
}

export interface Maker {
  run: string;
  project: string;
  number: number;
  block: string;
}

export interface RunSummary {
  id: string;
  name: string;
  number: number;
  status: RunStatus;
  project: string;
  pipeline: string | null;
  created: string;
  started: string | null;
  finished: string | null;
  duration_s: number | null;
  user: string | { id: string; name: string } | null;
  tags: string[];
  notes: string;
  device?: string | null;
  queue_position?: number | null;
  config?: Record<string, Json>;
  metrics: Record<string, number>;
}

export interface Run extends RunSummary {
  document: PipelineDocument;
  plan: Record<string, Json> | null;
  blocks: Record<string, BlockRun>;
  head_seq: number;
  attempt: number | null;
  error: StudioErrorJson | null;
}

/** One event of a run's log as the server sends it: `seq` and the engine's fields. */
export type RunEvent = { seq: number; t?: number } & (
  | { type: "run_started"; plan: Record<string, Json>; blocks: string[]; resumed: boolean }
  | { type: "block_started"; block: string; reason: Reason | null }
  | {
      type: "block_cached";
      block: string;
      reason: Reason | null;
      outputs: Record<string, OutputJson>;
      metrics: Record<string, number>;
      made_by?: Maker | null;
    }
  | {
      type: "block_done";
      block: string;
      duration_s: number;
      outputs: Record<string, OutputJson>;
      metrics: Record<string, number>;
    }
  | { type: "block_failed"; block: string; error: StudioErrorJson }
  | { type: "block_skipped"; block: string; because: string }
  | ({ type: "progress"; block: string } & Progress)
  | {
      type: "metrics";
      block: string;
      name: string;
      first_step: number;
      stride: number;
      steps?: string;
      count: number;
      t0: number;
      t1: number;
      values: string;
    }
  | {
      type: "log";
      block: string | null;
      level: string;
      message: string;
      template?: string;
      values?: Record<string, Json>;
      t: number;
    }
  | { type: "checkpoint"; block: string; step: number }
  | {
      type: "decision";
      block: string;
      kind: string;
      step: number;
      message: string;
      template: string;
      values: Record<string, Json>;
      evidence: Record<string, Json>;
      t: number;
    }
  | {
      type: "run_done";
      status: RunStatus;
      error?: StudioErrorJson | null;
      duration_s: number;
    }
  | { type: "attempt_started"; attempt: number; worker: string; device: string }
  | { type: "attempt_lost"; attempt: number; reason: string }
  | { type: "run_cancel_requested" }
);

/** One series of the pyramid: base64 of little-endian float64. */
export interface SeriesJson {
  total: number;
  shown: number;
  steps: string;
  t: string;
  last: string;
  min: string;
  max: string;
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

export interface QueueRun {
  id: string;
  name: string;
  number?: number;
  status?: RunStatus;
  project?: string | { id: string; name: string };
  user?: string | { id: string; name: string } | null;
  created?: string;
  started?: string | null;
  device?: string | null;
  worker?: string | null;
  position?: number;
  cancel_requested?: boolean;
  queue_position?: number;
}

export interface QueueJson {
  running: QueueRun[];
  waiting: QueueRun[];
  workers: {
    id: string;
    name: string;
    online: boolean;
    queues: string[];
    devices: {
      index: number;
      type: string;
      name: string;
      memory_mib: number | null;
      busy?: boolean;
      run: string | null;
    }[];
  }[];
}

export interface Items<T> {
  items: T[];
  total: number;
}
