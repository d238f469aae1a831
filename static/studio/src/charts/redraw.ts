/**
 * How often charts draw: at once when it was quiet, as often as the eye can follow while drawing is cheap, and slower
 * (down to twice a second) the more it costs. All charts of the page share one part of its time, so that ten curves
 * that grow together leave as much of it to the person as one does.
 */

const FASTEST_MS = 33;
const SLOWEST_MS = 500;
/** All charts together may use about this share of the page's time. */
const SHARE = 0.3;
/** A chart that has not drawn for so long takes no part in it. */
const QUIET_MS = 1000;

interface Drawing {
  readonly end: number;
  readonly cost: number;
}

/** Milliseconds from the end of a chart's drawing to its next one, when these drawings were each chart's last. */
export function pauseFor(drawings: Iterable<Drawing>, now: number): number {
  let cost = 0;
  for (const drawing of drawings) if (now - drawing.end < QUIET_MS) cost += drawing.cost;
  return Math.min(SLOWEST_MS, Math.max(FASTEST_MS, cost / SHARE));
}

/** The last drawing of every chart that is mounted. */
const last = new Map<Redraw, Drawing>();

export class Redraw {
  private timer: ReturnType<typeof setTimeout> | null = null;
  private frame = 0;
  private busy = false;
  private again = false;
  private ended = false;

  constructor(private readonly draw: () => Promise<void> | void) {}

  request(): void {
    if (this.ended) {
      return;
    }
    if (this.busy) {
      this.again = true;
      return;
    }
    if (this.timer !== null || this.frame !== 0) {
      return;
    }
    const now = performance.now();
    const mine = last.get(this);
    const wait = mine ? mine.end + pauseFor(last.values(), now) - now : 0;
    if (wait > 0) {
      this.timer = setTimeout(() => {
        this.timer = null;
        this.schedule();
      }, wait);
    } else {
      this.schedule();
    }
  }

  /** The chart is gone: draw no more. */
  end(): void {
    if (this.timer !== null) {
      clearTimeout(this.timer);
    }
    cancelAnimationFrame(this.frame);
    last.delete(this);
    this.ended = true;
  }

  private schedule(): void {
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      void this.run();
    });
  }

  private async run(): Promise<void> {
    const begin = performance.now();
    this.busy = true;
    try {
      await this.draw();
    } finally {
      this.busy = false;
      const end = performance.now();
      if (!this.ended) {
        last.set(this, { end, cost: end - begin });
      }
      if (this.again) {
        this.again = false;
        this.request();
      }
    }
  }
}
