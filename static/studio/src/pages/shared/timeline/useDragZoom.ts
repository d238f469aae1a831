/** Dragging over the track selects steps and zooms the chart above to them. */
import { type PointerEvent, type RefObject, useState } from "react";
import type { AxisView } from "../../../charts";

const LEAST = 6;

export function useDragZoom(
  track: RefObject<HTMLDivElement | null>,
  axis: AxisView | null,
  lineId: string | undefined,
  zoomTo: ((steps: [number, number]) => void) | undefined,
) {
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const pixel = (event: PointerEvent) => {
    const box = track.current?.getBoundingClientRect();
    return Math.max(0, Math.min(axis?.width ?? 0, event.clientX - (box?.left ?? 0)));
  };
  const selection: [number, number] | null =
    drag && Math.abs(drag.to - drag.from) >= LEAST
      ? [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)]
      : null;
  if (!zoomTo) {
    return { selection: null, handlers: {} };
  }
  return {
    selection,
    handlers: {
      onPointerDown: (event: PointerEvent) => {
        if (event.button === 0) {
          track.current?.setPointerCapture(event.pointerId);
          setDrag({ from: pixel(event), to: pixel(event) });
        }
      },
      onPointerMove: (event: PointerEvent) => {
        if (drag) {
          setDrag({ ...drag, to: pixel(event) });
        }
      },
      onPointerUp: () => {
        setDrag(null);
        if (selection && axis) {
          zoomTo([axis.stepAt(selection[0], lineId), axis.stepAt(selection[1], lineId)]);
        }
      },
      onPointerCancel: () => setDrag(null),
    },
  };
}
