/**
 * A block on the canvas. Reads only its own entry, ports and run state, so 500 of them stay quiet.
 */
import type { NodeProps } from "@xyflow/react";
import { createContext, memo, useContext } from "react";
import { cardState } from "../../graph/runview";
import type { BlockSpec } from "../../graph/types";
import { t } from "../../i18n";
import { Icon } from "../../ui";
import { useBuilderState } from "../store/context";
import { blockTitle } from "../texts";
import { CardPorts } from "./CardPorts";
import { CardPreview } from "./CardPreview";
import { CardRun, CardStatus } from "./CardRun";
import { categoryIcon, categoryToken } from "./kinds";
import type { FlowNode } from "./useFlowNodes";

/** True while the canvas is zoomed out so far that words cannot be read: cards become plain boxes. */
export const FarContext = createContext(false);

export const BlockCard = memo(function BlockCard({ id }: NodeProps<FlowNode>) {
  return useContext(FarContext) ? null : <NearCard id={id} />;
});

function NearCard({ id }: { id: string }) {
  const block = useBuilderState((state) => state.sync.document.blocks[id]);
  const spec = useBuilderState((state) => state.catalog.blocks[block?.type ?? ""]);
  const worst = useBuilderState((state) => worstProblem(state.problems, id));
  const runState = useBuilderState((state) => cardState(state.run?.blocks[id]));
  if (!block) return null;
  const category = spec?.category ?? "";
  return (
    <div
      className="block-card"
      data-state={runState}
      data-problem={worst ?? undefined}
      data-bypass={block.bypass || undefined}
      style={{ "--category": `var(${categoryToken(category)})` } as React.CSSProperties}
    >
      <header className="block-head">
        <span className="block-icon">
          <Icon name={spec ? categoryIcon(category) : "warning"} size={15} />
        </span>
        <span className="block-name">
          <strong title={blockTitle(block, spec)}>{blockTitle(block, spec)}</strong>
          <span translate="no">{subtitle(id, spec, block.bypass)}</span>
        </span>
        <CardStatus id={id} worst={worst} />
      </header>
      <CardPorts id={id} inputs={spec?.inputs ?? []} outputs={spec?.outputs ?? []} />
      {!block.bypass && <CardPreview id={id} />}
      <CardRun id={id} />
    </div>
  );
}

function subtitle(id: string, spec: BlockSpec | undefined, bypass: boolean | undefined): string {
  if (!spec) return t("Unknown block");
  return bypass ? t("{id} · bypassed", { id }) : id;
}

function worstProblem(
  problems: readonly { block: string | null; severity: string }[],
  id: string,
): "error" | "warning" | null {
  let worst: "error" | "warning" | null = null;
  for (const problem of problems) {
    if (problem.block !== id) continue;
    if (problem.severity === "error") return "error";
    if (problem.severity === "warning") worst = "warning";
  }
  return worst;
}
