/**
 * Painting the whole pipeline as plain boxes and lines: the zoomed-out canvas and the minimap share it.
 *
 * Pure apart from the 2D context it draws into.
 */
import { splitAddress } from "../../graph/document";
import { CARD_HEIGHT, CARD_WIDTH } from "../../graph/place";
import type { Wire } from "../../graph/types";

export interface Box {
  readonly id: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly colour: string;
  readonly label: string;
  readonly selected: boolean;
  readonly state: string;
}

export interface View {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
  readonly width: number;
  readonly height: number;
}

export interface Palette {
  readonly surface: string;
  readonly border: string;
  readonly wire: string;
  readonly accent: string;
  readonly text: string;
  readonly font: string;
  readonly states: Readonly<Record<string, string>>;
}

export interface Line {
  readonly from: Box;
  readonly to: Box;
}

/** The lines between boxes; wires to unknown blocks are left out. */
export function linesOf(wires: readonly Wire[], boxes: ReadonlyMap<string, Box>): Line[] {
  const lines: Line[] = [];
  for (const [source, target] of wires) {
    const from = boxes.get(splitAddress(source).block);
    const to = boxes.get(splitAddress(target).block);
    if (from && to) lines.push({ from, to });
  }
  return lines;
}

const isSeen = (box: Box, view: View): boolean => {
  const left = box.x * view.zoom + view.x;
  const top = box.y * view.zoom + view.y;
  return left < view.width && top < view.height && left + box.width * view.zoom > 0 && top + box.height * view.zoom > 0;
};

export function paintOverview(
  context: CanvasRenderingContext2D,
  view: View,
  boxes: Iterable<Box>,
  lines: readonly Line[],
  palette: Palette,
): void {
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  const scale = context.canvas.width / view.width;
  context.setTransform(view.zoom * scale, 0, 0, view.zoom * scale, view.x * scale, view.y * scale);
  paintLines(context, view, lines, palette);
  for (const box of boxes) if (isSeen(box, view)) paintBox(context, view, box, palette);
}

function paintLines(context: CanvasRenderingContext2D, view: View, lines: readonly Line[], palette: Palette): void {
  context.strokeStyle = palette.wire;
  context.lineWidth = Math.max(2, 1 / view.zoom);
  context.beginPath();
  for (const { from, to } of lines) {
    const x1 = from.x + from.width;
    const y1 = from.y + from.height / 2;
    const y2 = to.y + to.height / 2;
    const bend = Math.max(40, Math.abs(to.x - x1) / 2);
    context.moveTo(x1, y1);
    context.bezierCurveTo(x1 + bend, y1, to.x - bend, y2, to.x, y2);
  }
  context.stroke();
}

function paintBox(context: CanvasRenderingContext2D, view: View, box: Box, palette: Palette): void {
  context.fillStyle = palette.surface;
  context.fillRect(box.x, box.y, box.width, box.height);
  context.fillStyle = box.colour;
  context.fillRect(box.x, box.y, box.width, 22);
  const state = palette.states[box.state];
  context.lineWidth = box.selected || state ? Math.max(4, 2 / view.zoom) : Math.max(1, 0.75 / view.zoom);
  context.strokeStyle = box.selected ? palette.accent : (state ?? palette.border);
  context.strokeRect(box.x, box.y, box.width, box.height);
  if (view.zoom < 0.22) return;
  context.fillStyle = palette.text;
  context.font = `600 26px ${palette.font}`;
  context.fillText(box.label, box.x + 14, box.y + 62, box.width - 28);
}

export const DEFAULT_SIZE = { width: CARD_WIDTH, height: CARD_HEIGHT };
