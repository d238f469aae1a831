/**
 * The minimap: a painted picture of the pipeline and a frame that shows what is in view.
 *
 * Panning moves only the frame; the picture is painted again when blocks change. (React Flow's own minimap redraws an
 * SVG of every block on each frame of a pan.)
 */
import { useReactFlow, useStoreApi } from "@xyflow/react";
import { type PointerEvent, useEffect, useRef } from "react";
import { useThemeGeneration } from "../../charts/theme";
import { t } from "../../i18n";
import { useBuilder } from "../store/context";
import { readBoxes, readPalette } from "./boxes";
import { type Box, linesOf, paintOverview } from "./overview";

const WIDTH = 180;
const HEIGHT = 120;
const MARGIN = 60;
const REPAINT_MS = 120;

interface Fit {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}

function fitOf(boxes: ReadonlyMap<string, Box>): Fit {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const box of boxes.values()) {
    left = Math.min(left, box.x);
    top = Math.min(top, box.y);
    right = Math.max(right, box.x + box.width);
    bottom = Math.max(bottom, box.y + box.height);
  }
  if (left > right) return { x: 0, y: 0, zoom: 0.1 };
  const zoom = Math.min(WIDTH / (right - left + 2 * MARGIN), HEIGHT / (bottom - top + 2 * MARGIN), 0.25);
  return { x: WIDTH / 2 - ((left + right) / 2) * zoom, y: HEIGHT / 2 - ((top + bottom) / 2) * zoom, zoom };
}

export function MiniMap() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const fit = useRef<Fit>({ x: 0, y: 0, zoom: 0.1 });
  const flow = useStoreApi();
  const { setCenter } = useReactFlow();
  const { store } = useBuilder();
  const theme = useThemeGeneration();

  // biome-ignore lint/correctness/useExhaustiveDependencies: `theme` asks for the colours to be read again
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    element.width = WIDTH * ratio;
    element.height = HEIGHT * ratio;
    let timer: ReturnType<typeof setTimeout> | null = null;
    const moveFrame = () => {
      const { transform, width, height } = flow.getState();
      const { x, y, zoom } = fit.current;
      const scale = zoom / transform[2];
      const style = frame.current?.style;
      if (!style) return;
      style.transform = `translate(${x - transform[0] * scale}px, ${y - transform[1] * scale}px)`;
      style.width = `${width * scale}px`;
      style.height = `${height * scale}px`;
    };
    const paint = () => {
      timer = null;
      const boxes = readBoxes(flow.getState().nodeLookup, store.getState());
      fit.current = fitOf(boxes);
      const lines = linesOf(store.getState().sync.document.wires, boxes);
      paintOverview(context, { ...fit.current, width: WIDTH, height: HEIGHT }, boxes.values(), lines, readPalette());
      moveFrame();
    };
    const askPaint = () => {
      timer ??= setTimeout(paint, REPAINT_MS);
    };
    const stopFlow = flow.subscribe((state, before) => {
      if (state.nodes !== before.nodes) askPaint();
      if (state.transform !== before.transform || state.width !== before.width) moveFrame();
    });
    const stopStore = store.subscribe((state, before) => {
      if (state.sync.document !== before.sync.document || state.run !== before.run) askPaint();
    });
    askPaint();
    return () => {
      if (timer) clearTimeout(timer);
      stopFlow();
      stopStore();
    };
  }, [flow, store, theme]);

  const go = (event: PointerEvent<HTMLDivElement>) => {
    if (event.buttons !== 1) return;
    const at = event.currentTarget.getBoundingClientRect();
    const { x, y, zoom } = fit.current;
    const canvasZoom = flow.getState().transform[2];
    void setCenter((event.clientX - at.left - x) / zoom, (event.clientY - at.top - y) / zoom, { zoom: canvasZoom });
  };

  return (
    <div className="minimap" title={t("Map of the pipeline")} onPointerDown={go} onPointerMove={go} aria-hidden="true">
      <canvas ref={canvas} />
      <div ref={frame} className="minimap-frame" />
    </div>
  );
}
