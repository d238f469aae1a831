/**
 * The saver's and the run buttons' view of the REST API.
 */
import { type Batch, isComplete, type Missed } from "../../graph/sync";
import { message, type PipelineDocument, type Problem } from "../../graph/types";
import { ApiError, api } from "../../lib/api";
import type { Pipeline } from "../../lib/types";
import type { Remote, SendResult } from "./saver";

interface MissedJson {
  readonly version: number;
  readonly op_id: string;
  readonly ops: Missed["ops"];
}

interface OperationsJson {
  readonly items: readonly MissedJson[];
  readonly version?: number;
}

const toMissed = (items: readonly MissedJson[]): Missed[] =>
  items.map((item) => ({ version: item.version, opId: item.op_id, ops: item.ops }));

export function createRemote(pipelineId: string): Remote {
  const root = `/pipelines/${pipelineId}`;
  return {
    async send(base_version, op_id, ops) {
      try {
        const answer = await api.post<{ version: number; problems: Problem[] }>(`${root}/operations`, {
          base_version,
          op_id,
          ops,
        });
        return { kind: "saved", ...answer };
      } catch (error) {
        return readFailure(error);
      }
    },
    async missedSince(version) {
      const answer = await api.get<OperationsJson>(`${root}/operations?after=${version}`);
      const missed = toMissed(answer.items);
      const target = answer.version ?? missed.at(-1)?.version ?? version;
      return isComplete(missed, version, target) ? { version: target, missed } : null;
    },
    async read() {
      const pipeline = await api.get<Pipeline>(root);
      return {
        document: pipeline.document as PipelineDocument,
        version: pipeline.version,
        problems: pipeline.problems as Problem[],
      };
    },
  };
}

const LOOK_BACK = 200;

/** Of the edits that an earlier visit left behind, those that the server does not have. */
export async function withoutSaved(pipelineId: string, version: number, batches: readonly Batch[]): Promise<Batch[]> {
  if (batches.length === 0) return [];
  const after = Math.max(0, version - LOOK_BACK);
  const { items } = await api.get<OperationsJson>(`/pipelines/${pipelineId}/operations?after=${after}`);
  const saved = new Set(items.map((item) => item.op_id));
  return batches.filter((batch) => !saved.has(batch.opId));
}

function readFailure(error: unknown): SendResult {
  if (!(error instanceof ApiError) || error.transient || error.status === 401) return { kind: "unreachable" };
  if (error.status === 409) {
    const body = error.body as { version?: number; missed?: MissedJson[] };
    if (body?.version !== undefined)
      return { kind: "conflict", version: body.version, missed: toMissed(body.missed ?? []) };
  }
  return { kind: "refused", reason: message(error.message) };
}
