/**
 * The zoomed-out canvas: one <canvas> behind React Flow's (then empty) nodes draws every block as a plain box.
 *
 * React Flow keeps the nodes for dragging, selecting and screen readers; painting 500 boxes and their wires here costs
 * a few milliseconds a frame, which their DOM and SVG would not.
 */
import { useStoreApi } from "@xyflow/react";
import { useEffect, useRef } from "react";
import { useThemeGeneration } from "../../charts/theme";
import { useBuilder } from "../store/context";
import { readBoxes, readPalette } from "./boxes";
import { linesOf, paintOverview } from "./overview";

export function Overview() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const flow = useStoreApi();
  const { store } = useBuilder();
  const theme = useThemeGeneration();

  // biome-ignore lint/correctness/useExhaustiveDependencies: `theme` asks for the colours to be read again
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    let frame = 0;
    const palette = readPalette();
    const paint = () => {
      frame = 0;
      const { transform, width, height } = flow.getState();
      const ratio = Math.min(window.devicePixelRatio || 1, 2);
      if (element.width !== Math.round(width * ratio) || element.height !== Math.round(height * ratio)) {
        element.width = Math.round(width * ratio);
        element.height = Math.round(height * ratio);
      }
      const boxes = readBoxes(flow.getState().nodeLookup, store.getState());
      const lines = linesOf(store.getState().sync.document.wires, boxes);
      paintOverview(
        context,
        { x: transform[0], y: transform[1], zoom: transform[2], width, height },
        boxes.values(),
        lines,
        palette,
      );
    };
    const ask = () => {
      frame ||= requestAnimationFrame(paint);
    };
    const stopFlow = flow.subscribe(ask);
    const stopStore = store.subscribe(ask);
    ask();
    return () => {
      cancelAnimationFrame(frame);
      stopFlow();
      stopStore();
    };
  }, [flow, store, theme]);

  return <canvas ref={canvas} className="overview" />;
}
