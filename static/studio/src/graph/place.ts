/**
 * Geometry of the canvas in plain numbers: card sizes, free places, bounds.
 */
import type { PipelineDocument, Point } from "./types";

/** Width of a card and a height that most cards have, in canvas pixels. */
export const CARD_WIDTH = 224;
export const CARD_HEIGHT = 132;
export const GRID = 16;
const GAP = 24;

export const snap = (point: Point): Point => [Math.round(point[0] / GRID) * GRID, Math.round(point[1] / GRID) * GRID];

/** The nearest place at or below `wanted` where a card covers no other. */
export function freePlace(document: PipelineDocument, wanted: Point): Point {
  const taken = Object.values(document.layout.positions);
  let [x, y] = snap(wanted);
  for (let tries = 0; tries < 200; tries += 1) {
    const hit = taken.find(
      (other) => Math.abs(other[0] - x) < CARD_WIDTH + GAP && Math.abs(other[1] - y) < CARD_HEIGHT + GAP,
    );
    if (!hit) return [x, y];
    [x, y] = snap([x, hit[1] + CARD_HEIGHT + GAP + GRID]);
  }
  return [x, y];
}

/** How far a view has to move along one axis so that all of a stretch is seen, with a gap to the edge; 0 when it is. */
export function panToShow(start: number, length: number, room: number): number {
  if (start < GAP) return GAP - start;
  return Math.min(0, room - GAP - start - length);
}

export interface Bounds {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The rectangle around all cards and notes; null for an empty canvas. */
export function boundsOf(document: PipelineDocument): Bounds | null {
  const boxes = [
    ...Object.values(document.layout.positions).map((at) => ({ at, size: [CARD_WIDTH, CARD_HEIGHT] })),
    ...document.layout.notes.map((note) => ({ at: note.position, size: note.size ?? [200, 120] })),
  ];
  if (boxes.length === 0) return null;
  const left = Math.min(...boxes.map(({ at }) => at[0]));
  const top = Math.min(...boxes.map(({ at }) => at[1]));
  const right = Math.max(...boxes.map(({ at, size }) => at[0] + (size[0] ?? 0)));
  const bottom = Math.max(...boxes.map(({ at, size }) => at[1] + (size[1] ?? 0)));
  return { x: left, y: top, width: right - left, height: bottom - top };
}
