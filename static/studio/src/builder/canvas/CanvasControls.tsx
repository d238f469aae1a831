/** Zoom buttons at the corner of the canvas. */
import { useReactFlow } from "@xyflow/react";
import { t } from "../../i18n";
import { IconButton } from "../../ui";
import { addNote } from "../store/commands";
import { useBuilder, useBuilderState } from "../store/context";

export function CanvasControls() {
  const { zoomIn, zoomOut, fitView } = useReactFlow();
  const { store } = useBuilder();
  const canEdit = useBuilderState((state) => state.canEdit);
  return (
    <div className="canvas-controls" role="toolbar" aria-label={t("View")}>
      <IconButton small icon="plus" label={t("Zoom in")} onClick={() => zoomIn({ duration: 120 })} />
      <IconButton small icon="minus" label={t("Zoom out")} onClick={() => zoomOut({ duration: 120 })} />
      <IconButton
        small
        icon="zoom"
        label={t("Zoom to fit")}
        onClick={() => fitView({ padding: 0.12, maxZoom: 1, duration: 200 })}
      />
      {canEdit && <IconButton small icon="note" label={t("Add a note")} onClick={() => addNote(store, null)} />}
    </div>
  );
}
