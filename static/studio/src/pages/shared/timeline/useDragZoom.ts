/** Dragging over the track selects steps and zooms the chart above to them. */
import { type PointerEvent, type RefObject, useRef, useState } from "react";
import type { AxisView } from "../../../charts";

const LEAST = 6;

export function useDragZoom(
  track: RefObject<HTMLDivElement | null>,
  axis: AxisView | null,
  lineId: string | undefined,
  zoomTo: ((steps: [number, number]) => void) | undefined,
) {
  const start = useRef<number | null>(null);
  const [selection, setSelection] = useState<[number, number] | null>(null);
  const pixel = (event: PointerEvent) => {
    const box = track.current?.getBoundingClientRect();
    return Math.max(0, Math.min(axis?.width ?? 0, event.clientX - (box?.left ?? 0)));
  };
  /** Read from the event, not from the state: the last move may not be drawn yet. */
  const selected = (event: PointerEvent): [number, number] | null => {
    const ends = [start.current ?? pixel(event), pixel(event)] as const;
    return Math.abs(ends[1] - ends[0]) >= LEAST ? [Math.min(...ends), Math.max(...ends)] : null;
  };
  if (!zoomTo) {
    return { selection: null, handlers: {} };
  }
  return {
    selection,
    handlers: {
      onPointerDown: (event: PointerEvent) => {
        if (event.button === 0) {
          track.current?.setPointerCapture(event.pointerId);
          start.current = pixel(event);
        }
      },
      onPointerMove: (event: PointerEvent) => {
        if (start.current !== null) {
          setSelection(selected(event));
        }
      },
      onPointerUp: (event: PointerEvent) => {
        const ends = start.current === null ? null : selected(event);
        start.current = null;
        setSelection(null);
        if (ends && axis) {
          zoomTo([axis.stepAt(ends[0], lineId), axis.stepAt(ends[1], lineId)]);
        }
      },
      onPointerCancel: () => {
        start.current = null;
        setSelection(null);
      },
    },
  };
}
