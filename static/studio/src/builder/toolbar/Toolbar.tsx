/** The bar above the canvas: name and saving on the left, editing in the middle, panels and running on the right. */
import { t } from "../../i18n";
import { IconButton, Menu } from "../../ui";
import { download, fileNameOf } from "../files";
import { EditableText } from "../inspector/EditableText";
import { openSearch } from "../store/commands";
import { useBuilder, useBuilderState } from "../store/context";
import { edit, redo, undo } from "../store/edits";
import { documentOf, type SidePanel } from "../store/state";
import { RunControls } from "./RunControls";
import { SaveStatus } from "./SaveStatus";

export function Toolbar() {
  const { store } = useBuilder();
  const name = useBuilderState((state) => documentOf(state).name);
  const canEdit = useBuilderState((state) => state.canEdit);
  const paletteOpen = useBuilderState((state) => state.paletteOpen);
  const canUndo = useBuilderState((state) => state.history.past.length > 0);
  const canRedo = useBuilderState((state) => state.history.future.length > 0);
  return (
    <div className="builder-bar">
      <IconButton
        icon="columns"
        label={paletteOpen ? t("Hide the blocks") : t("Show the blocks")}
        aria-pressed={paletteOpen}
        className="bar-palette"
        onClick={() => store.setState({ paletteOpen: !paletteOpen })}
      />
      <h1 className="bar-title">
        <EditableText
          label={t("Name of the pipeline")}
          value={name}
          disabled={!canEdit}
          onChange={(text) => text && edit(store, [{ op: "set_name", name: text }])}
        />
      </h1>
      <SaveStatus />
      <span className="bar-group bar-edit">
        <IconButton icon="undo" label={t("Undo")} disabled={!canUndo} onClick={() => undo(store)} />
        <IconButton icon="redo" label={t("Redo")} disabled={!canRedo} onClick={() => redo(store)} />
        <IconButton
          icon="plus"
          label={t("Add a block (/)")}
          disabled={!canEdit}
          onClick={() => openSearch(store, {})}
        />
      </span>
      <span className="bar-push" />
      <PanelButtons />
      <MoreMenu />
      <RunControls />
    </div>
  );
}

function PanelButtons() {
  const { store } = useBuilder();
  const panel = useBuilderState((state) => state.panel);
  const errors = useBuilderState((state) => state.problems.filter((one) => one.severity === "error").length);
  const others = useBuilderState((state) => state.problems.length) - errors;
  const toggle = (next: SidePanel) => store.setState({ panel: panel === next ? null : next });
  return (
    <span className="bar-group bar-panels">
      <IconButton
        icon="settings"
        label={t("Inspector")}
        aria-pressed={panel === "inspector"}
        onClick={() => toggle("inspector")}
      />
      <IconButton
        icon="list"
        label={t("Outline")}
        aria-pressed={panel === "outline"}
        onClick={() => toggle("outline")}
      />
      <span
        className="bar-badge"
        data-tone={errors > 0 ? "danger" : "neutral"}
        data-count={errors || others || undefined}
      >
        <IconButton
          icon="warning"
          label={t("Problems: {errors} errors, {others} others", { errors, others })}
          aria-pressed={panel === "problems"}
          onClick={() => toggle("problems")}
        />
      </span>
    </span>
  );
}

function MoreMenu() {
  const { store } = useBuilder();
  const canEdit = useBuilderState((state) => state.canEdit);
  const exportDocument = () => {
    const document_ = documentOf(store.getState());
    download(`${JSON.stringify(document_, null, 2)}\n`, fileNameOf(document_.name));
  };
  return (
    <Menu
      label={t("More")}
      items={[
        { label: t("Versions…"), icon: "clock", onSelect: () => store.setState({ dialog: "versions" }) },
        "separator",
        {
          label: t("Import…"),
          icon: "upload",
          disabled: !canEdit,
          onSelect: () => store.setState({ dialog: "import" }),
        },
        { label: t("Export as JSON"), icon: "download", onSelect: exportDocument },
        "separator",
        { label: t("Keyboard"), icon: "key", onSelect: () => store.setState({ dialog: "shortcuts" }) },
      ]}
    />
  );
}
