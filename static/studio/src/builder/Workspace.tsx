/** How the builder is laid out: bar, palette, canvas, side panel, and what floats above them. */
import { ReactFlowProvider } from "@xyflow/react";
import { useEffect } from "react";
import { t } from "../i18n";
import { Icon, IconButton, Tabs } from "../ui";
import { Canvas } from "./canvas/Canvas";
import { useRunFollow } from "./hooks/useRunFollow";
import { useSaving } from "./hooks/useSaving";
import { useShortcuts } from "./hooks/useShortcuts";
import { Inspector } from "./inspector/Inspector";
import { AddSearch } from "./palette/AddSearch";
import { Palette } from "./palette/Palette";
import { ConnectMenu } from "./panels/ConnectMenu";
import { ImportDialog } from "./panels/ImportDialog";
import { Outline } from "./panels/Outline";
import { Problems } from "./panels/Problems";
import { Shortcuts } from "./panels/Shortcuts";
import { Versions } from "./panels/Versions";
import { useBuilder, useBuilderState } from "./store/context";
import type { SidePanel } from "./store/state";
import { tMessage } from "./texts";
import { Toolbar } from "./toolbar/Toolbar";

export function Workspace() {
  return (
    <ReactFlowProvider>
      <Layout />
    </ReactFlowProvider>
  );
}

function Layout() {
  useShortcuts();
  useSaving();
  useRunFollow();
  const paletteOpen = useBuilderState((state) => state.paletteOpen);
  return (
    <div className="builder" data-palette={paletteOpen || undefined}>
      <Toolbar />
      <div className="builder-body">
        {paletteOpen && <Palette />}
        <Canvas />
        <SidePanelArea />
        <NoticeLine />
      </div>
      <AddSearch />
      <ConnectMenu />
      <OpenDialog />
    </div>
  );
}

function SidePanelArea() {
  const { store } = useBuilder();
  const panel = useBuilderState((state) => state.panel);
  if (!panel) return null;
  const tabs = [
    { id: "inspector", label: t("Inspector") },
    { id: "problems", label: t("Problems") },
    { id: "outline", label: t("Outline") },
  ];
  return (
    <aside className="side-panel" aria-label={t("Details")}>
      <div className="side-panel-tabs">
        <Tabs
          label={t("Details")}
          tabs={tabs}
          value={panel}
          onChange={(id) => store.setState({ panel: id as SidePanel })}
        />
        <IconButton small icon="close" label={t("Close")} onClick={() => store.setState({ panel: null })} />
      </div>
      <div className="side-panel-body">
        {panel === "inspector" && <Inspector />}
        {panel === "problems" && <Problems />}
        {panel === "outline" && <Outline />}
      </div>
    </aside>
  );
}

function OpenDialog() {
  const { store } = useBuilder();
  const dialog = useBuilderState((state) => state.dialog);
  const close = () => store.setState({ dialog: null });
  switch (dialog) {
    case "shortcuts":
      return <Shortcuts onClose={close} />;
    case "versions":
      return <Versions onClose={close} />;
    case "import":
      return <ImportDialog onClose={close} />;
    default:
      return null;
  }
}

const STAY_MS = 6000;

/** The last message, at the foot of the canvas. */
function NoticeLine() {
  const { store } = useBuilder();
  const notice = useBuilderState((state) => state.notice);
  useEffect(() => {
    if (!notice) return;
    const timer = setTimeout(() => store.setState({ notice: null }), STAY_MS);
    return () => clearTimeout(timer);
  }, [notice, store]);
  return (
    <div className="notice-line" role="status" aria-live={notice?.tone === "error" ? "assertive" : "polite"}>
      {notice && (
        <div className="notice-pill" data-tone={notice.tone}>
          <Icon name={notice.tone === "error" ? "error" : notice.tone === "success" ? "check" : "info"} size={15} />
          <span>{tMessage(notice)}</span>
          <IconButton small icon="close" label={t("Close")} onClick={() => store.setState({ notice: null })} />
        </div>
      )}
    </div>
  );
}
