/**
 * Places for blocks that come without one: columns by depth, rows in the order of a run. The same picture as the
 * engine draws (`engine/graph/layout.py`).
 */
import type { Point } from "./types";

const COLUMN = 320;
const ROW = 420;
const LEFT = 80;
const TOP = 120;

/** Positions of all `ids`, which are in the order of a run; those that are known stay. */
export function arrange(
  ids: readonly string[],
  edges: readonly (readonly [source: string, target: string])[],
  known: Readonly<Record<string, Point>>,
): Record<string, Point> {
  const depth = new Map<string, number>();
  const rows = new Map<number, number>();
  const positions: Record<string, Point> = {};
  for (const id of ids) {
    const before = edges.filter(([, target]) => target === id).map(([source]) => depth.get(source) ?? -1);
    const column = Math.max(-1, ...before) + 1;
    depth.set(id, column);
    if (known[id]) {
      positions[id] = known[id];
      continue;
    }
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    positions[id] = [LEFT + column * COLUMN, TOP + row * ROW];
  }
  return positions;
}
