/**
 * The saver's and the run buttons' view of the REST API.
 */
import type { Missed } from "../../graph/sync";
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
      const last = missed.at(-1)?.version ?? version;
      // An import or a restore makes a version without operations: then the list has a hole.
      const whole = missed.every((batch, index) => batch.version === version + index + 1 && Array.isArray(batch.ops));
      return whole && (answer.version ?? last) === last ? { version: last, missed } : null;
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

function readFailure(error: unknown): SendResult {
  if (!(error instanceof ApiError) || error.transient || error.status === 401) return { kind: "unreachable" };
  if (error.status === 409) {
    const body = error.body as { version?: number; missed?: MissedJson[] };
    if (body?.version !== undefined)
      return { kind: "conflict", version: body.version, missed: toMissed(body.missed ?? []) };
  }
  return { kind: "refused", reason: message(error.message) };
}
