/**
 * The shapes of runs: what the REST API says of one, the events of its log, and the queue.
 *
 * Mirrors the server's schemas; used by the run socket, its reducer and every page that shows a run. Holds no logic.
 */
import type { Json, PipelineDocument, StudioErrorJson } from "./types";

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
