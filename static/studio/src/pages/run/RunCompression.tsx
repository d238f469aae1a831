/** What the compress blocks of a run did, each in a card of its own above the curves. */
import { CompressionPart, hasCompression } from "../../compression/CompressionPart";
import type { Decision } from "../../lib/decisions";
import type { Run } from "../../lib/runTypes";
import { StatusBadge } from "../../ui";
import { titleOf } from "../shared/DocumentGraph";

export interface RunCompressionProps {
  run: Run;
  decisions: readonly Decision[];
  workspaceId: string;
  mayEdit: boolean;
}

export function RunCompression({ run, decisions, workspaceId, mayEdit }: RunCompressionProps) {
  const blocks = Object.entries(run.blocks).filter(([id, state]) =>
    hasCompression(run.document.blocks[id]?.type, state),
  );
  return blocks.map(([id, state]) => (
    <section key={id} className="card" aria-label={titleOf(run.document, id)}>
      <div className="card-head">
        <h2>{titleOf(run.document, id)}</h2>
        <StatusBadge status={state.state} />
      </div>
      <div className="card-body">
        <CompressionPart
          block={id}
          type={run.document.blocks[id]?.type ?? ""}
          state={state}
          decisions={decisions}
          projectId={run.project}
          runId={run.id}
          workspaceId={workspaceId}
          mayEdit={mayEdit}
        />
      </div>
    </section>
  ));
}
