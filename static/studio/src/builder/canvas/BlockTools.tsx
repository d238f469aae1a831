/** The small toolbar above the one selected block. */
import { NodeToolbar, Position } from "@xyflow/react";
import { t } from "../../i18n";
import { IconButton } from "../../ui";
import { deleteSelection, duplicateSelection, onlyBlock, toggleBypass } from "../store/commands";
import { useBuilder, useBuilderState } from "../store/context";
import { startRun } from "../store/runs";

export function BlockTools() {
  const { store, saver } = useBuilder();
  const id = useBuilderState((state) => onlyBlock(state.selection));
  const canEdit = useBuilderState((state) => state.canEdit);
  const bypass = useBuilderState((state) => (id ? state.sync.document.blocks[id]?.bypass === true : false));
  if (!id || !canEdit) return null;
  return (
    <NodeToolbar nodeId={id} isVisible position={Position.Top} offset={8}>
      <div className="block-tools" role="toolbar" aria-label={t("Block")}>
        <IconButton
          small
          icon="play"
          label={t("Run to here")}
          onClick={() => startRun(store, saver, { targets: [id] })}
        />
        <IconButton
          small
          icon="skip"
          label={t("Run from here")}
          onClick={() => startRun(store, saver, { rerun_from: id })}
        />
        <IconButton
          small
          icon="link"
          label={t("Connect to…")}
          onClick={() => store.setState({ connectMenu: { block: id } })}
        />
        <IconButton small icon="copy" label={t("Duplicate")} onClick={() => duplicateSelection(store)} />
        <IconButton
          small
          icon="minus"
          label={bypass ? t("Use again") : t("Bypass")}
          aria-pressed={bypass}
          onClick={() => toggleBypass(store)}
        />
        <IconButton small icon="trash" label={t("Delete")} onClick={() => deleteSelection(store)} />
      </div>
    </NodeToolbar>
  );
}
