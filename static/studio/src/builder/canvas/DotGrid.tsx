/**
 * The dots behind the cards, as a layer of its own that a pan only shifts: React Flow's background would paint the
 * whole canvas again on each frame.
 */
import { useStoreApi } from "@xyflow/react";
import { useEffect, useRef } from "react";
import { GRID } from "../../graph/place";

const GAP = GRID * 1.5;

export function DotGrid() {
  const grid = useRef<HTMLDivElement>(null);
  const flow = useStoreApi();

  useEffect(() => {
    let zoomShown = 0;
    const shift = () => {
      const [x, y, zoom] = flow.getState().transform;
      const style = grid.current?.style;
      if (!style) return;
      const gap = GAP * zoom;
      if (zoom !== zoomShown) {
        zoomShown = zoom;
        style.backgroundSize = `${gap}px ${gap}px`;
        style.inset = `${-gap}px`;
      }
      style.transform = `translate(${x % gap}px, ${y % gap}px)`;
    };
    shift();
    return flow.subscribe((state, before) => {
      if (state.transform !== before.transform) shift();
    });
  }, [flow]);

  return <div ref={grid} className="dot-grid" />;
}
