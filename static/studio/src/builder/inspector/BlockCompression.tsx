/** The search, or before and after, of the selected compress block, as its newest run tells it. */
import { CompressionPart } from "../../compression/CompressionPart";
import type { Decision } from "../../lib/decisions";
import { useDecisions } from "../../lib/history";
import { useBuilderState } from "../store/context";

const NONE: readonly Decision[] = [];

export function BlockCompression({ id, type }: { id: string; type: string }) {
  const block = useBuilderState((state) => state.run?.blocks[id]);
  const runId = useBuilderState((state) => state.run?.id ?? null);
  const head = useBuilderState((state) => state.run?.head ?? 0);
  const live = useBuilderState((state) => state.run?.decisions ?? NONE);
  const projectId = useBuilderState((state) => state.projectId);
  const workspaceId = useBuilderState((state) => state.workspaceId);
  const mayEdit = useBuilderState((state) => state.canEdit);
  const { decisions } = useDecisions(runId, head, live);
  if (!block || !runId) return null;
  return (
    <CompressionPart
      narrow
      block={id}
      type={type}
      state={block}
      decisions={decisions}
      projectId={projectId}
      runId={runId}
      workspaceId={workspaceId}
      mayEdit={mayEdit}
    />
  );
}
