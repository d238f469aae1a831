/**
 * The canvas: React Flow with our cards, wires, search and drops.
 */
import "@xyflow/react/dist/style.css";
import { type EdgeChange, ReactFlow, SelectionMode, useReactFlow, useStore, useStoreApi } from "@xyflow/react";
import { type DragEvent, type MouseEvent, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { CARD_HEIGHT, CARD_WIDTH, GRID, panToShow } from "../../graph/place";
import { t } from "../../i18n";
import { usePasteAndDrop } from "../hooks/useDropFiles";
import { addBlock, openSearch, select } from "../store/commands";
import { useBuilder, useBuilderState } from "../store/context";
import { documentOf } from "../store/state";
import { BlockCard, FarContext } from "./BlockCard";
import { BlockTools } from "./BlockTools";
import { CanvasControls } from "./CanvasControls";
import { DotGrid } from "./DotGrid";
import { MiniMap } from "./MiniMap";
import { BLOCK_MIME } from "./mime";
import { NoteCard } from "./NoteCard";
import { Overview } from "./Overview";
import { useConnections } from "./useConnections";
import { type FlowEdge, type FlowNode, NOTE_PREFIX, useFlowEdges, useFlowNodes } from "./useFlowNodes";
import { WireEdge } from "./WireEdge";

// Stable references: a new object here would make React Flow mount every card again.
const nodeTypes = { block: BlockCard, note: NoteCard };
const edgeTypes = { wire: WireEdge };
const snapGrid: [number, number] = [GRID, GRID];
const fitViewOptions = { padding: 0.12, maxZoom: 1 };
const multiSelectKeys = ["Meta", "Control", "Shift"];
const proOptions = { hideAttribution: true };
// An empty canvas starts at full size, and stays there when the first block arrives.
const EMPTY_VIEWPORT = { x: 80, y: 80, zoom: 1 };
const NO_EDGES: FlowEdge[] = [];

/** Below this zoom words on cards cannot be read, and plain boxes are drawn. */
const FAR_ZOOM = 0.42;

export function Canvas() {
  const { store } = useBuilder();
  const { nodes, onNodesChange } = useFlowNodes();
  const edges = useFlowEdges();
  const far = useStore((state) => state.transform[2] < FAR_ZOOM);
  const canEdit = useBuilderState((state) => state.canEdit);
  const connecting = useBuilderState((state) => state.connecting !== null);
  const connections = useConnections();
  const { screenToFlowPosition } = useReactFlow<FlowNode, FlowEdge>();
  const drop = usePasteAndDrop();
  const labels = useMemo(ariaLabels, []);
  const frame = useRef<HTMLDivElement>(null);
  // While the view moves, the cards are one picture that the compositor shifts; at rest they are drawn sharply.
  const onMoveStart = useCallback(() => frame.current?.classList.add("moving"), []);
  const onMoveEnd = useCallback(() => frame.current?.classList.remove("moving"), []);
  const [startsFilled] = useState(() => nodes.length > 0);
  useFocusView();

  const onEdgesChange = useCallback(
    (changes: EdgeChange<FlowEdge>[]) => {
      const { selection } = store.getState();
      const wires = new Set(selection.wires);
      for (const change of changes) {
        if (change.type !== "select") continue;
        if (change.selected) wires.add(change.id);
        else wires.delete(change.id);
      }
      store.setState({ selection: { ...selection, wires } });
    },
    [store],
  );

  // A plain click on one of several selected blocks means this one; React Flow would keep them all.
  const onNodeClick = useCallback(
    (event: MouseEvent, node: FlowNode) => {
      if (event.shiftKey || event.ctrlKey || event.metaKey) return;
      const id = node.type === "note" ? node.id.slice(NOTE_PREFIX.length) : node.id;
      select(store, node.type === "note" ? { notes: new Set([id]) } : { blocks: new Set([id]) });
    },
    [store],
  );

  const onDoubleClick = useCallback(
    (event: MouseEvent) => {
      if (!(event.target as HTMLElement).classList.contains("react-flow__pane")) return;
      const { x, y } = screenToFlowPosition({ x: event.clientX, y: event.clientY });
      openSearch(store, { at: [x, y], screen: [event.clientX, event.clientY] });
    },
    [store, screenToFlowPosition],
  );

  const onDrop = useCallback(
    (event: DragEvent) => {
      event.preventDefault();
      const { x, y } = screenToFlowPosition({ x: event.clientX, y: event.clientY });
      const type = event.dataTransfer.getData(BLOCK_MIME);
      if (type) addBlock(store, { type, at: [x - 40, y - 20] });
      else drop(event.dataTransfer, [x, y]);
    },
    [store, screenToFlowPosition, drop],
  );

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: "/" opens the same search
    <div
      className="canvas"
      data-connecting={connecting || undefined}
      data-far={far || undefined}
      ref={frame}
      onDoubleClick={onDoubleClick}
      onDrop={onDrop}
      onDragOver={allowDrop}
    >
      <FarContext value={far}>
        {far ? <Overview /> : <DotGrid />}
        <ReactFlow<FlowNode, FlowEdge>
          nodes={nodes}
          edges={far ? NO_EDGES : edges}
          nodeTypes={nodeTypes}
          edgeTypes={edgeTypes}
          onNodesChange={onNodesChange}
          onEdgesChange={onEdgesChange}
          onNodeClick={onNodeClick}
          {...connections}
          onlyRenderVisibleElements={!far}
          nodesDraggable={canEdit}
          nodesConnectable={canEdit && !far}
          edgesReconnectable={canEdit}
          connectionRadius={28}
          onMoveStart={onMoveStart}
          onMoveEnd={onMoveEnd}
          snapToGrid
          snapGrid={snapGrid}
          minZoom={0.05}
          maxZoom={2}
          fitView={startsFilled}
          defaultViewport={EMPTY_VIEWPORT}
          fitViewOptions={fitViewOptions}
          zoomOnDoubleClick={false}
          deleteKeyCode={null}
          multiSelectionKeyCode={multiSelectKeys}
          selectionMode={SelectionMode.Partial}
          proOptions={proOptions}
          ariaLabelConfig={labels}
        >
          <BlockTools />
          <CanvasControls />
          <MiniMap />
        </ReactFlow>
      </FarContext>
    </div>
  );
}

const allowDrop = (event: DragEvent): void => {
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
};

/** Brings into view what a problem, the outline or a search result points at. */
function useFocusView(): void {
  const focus = useBuilderState((state) => state.focusView);
  const { store } = useBuilder();
  const { fitView, getZoom, getViewport, setViewport } = useReactFlow();
  const flow = useStoreApi();
  useEffect(() => {
    if (!focus) return;
    const at = documentOf(store.getState()).layout.positions[focus.blocks[0] ?? ""];
    if (focus.blocks.length === 0) void fitView({ ...fitViewOptions, duration: 200 });
    else if (focus.ifHidden && at) {
      const { x, y, zoom } = getViewport();
      const frame = flow.getState();
      const right = panToShow(at[0] * zoom + x, CARD_WIDTH * zoom, frame.width);
      const down = panToShow(at[1] * zoom + y, CARD_HEIGHT * zoom, frame.height);
      if (right !== 0 || down !== 0) void setViewport({ x: x + right, y: y + down, zoom });
    } else
      void fitView({
        nodes: focus.blocks.map((id) => ({ id })),
        duration: 200,
        maxZoom: Math.max(getZoom(), 0.9),
        minZoom: Math.max(getZoom(), 0.6),
        padding: 0.4,
      });
  }, [focus, store, flow, fitView, getZoom, getViewport, setViewport]);
}

function ariaLabels() {
  return {
    "node.a11yDescription.default": t("Press Enter or Space to select a block. Press Delete to remove it."),
    "node.a11yDescription.keyboardDisabled": t(
      "Use the arrow keys to move a selected block. Press Delete to remove it.",
    ),
    "node.a11yDescription.ariaLiveMessage": ({ direction, x, y }: { direction: string; x: number; y: number }) =>
      t("Moved {direction} to {x}, {y}.", { direction: t(direction), x, y }),
    "edge.a11yDescription.default": t("Press Enter or Space to select a wire. Press Delete to remove it."),
    "handle.ariaLabel": t("Port"),
  };
}
