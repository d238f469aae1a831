/**
 * The one time cursor of a page: what is hovered in one chart is marked in all charts of its group.
 *
 * A cursor is a place on the hovered chart's axis and, where known, a moment; a chart with another axis
 * finds its own place from the moment.
 */
import type { XAxis } from "./curves";

export interface Cursor {
  axis: XAxis;
  x: number;
  /** Unix seconds. */
  t: number | null;
  source: string;
}

type Listener = (cursor: Cursor | null) => void;

export class CursorGroup {
  private readonly listeners = new Set<Listener>();
  current: Cursor | null = null;

  set(cursor: Cursor | null): void {
    this.current = cursor;
    for (const listener of this.listeners) {
      listener(cursor);
    }
  }

  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
