/**
 * How often charts draw: at once when it was quiet, as often as the eye can follow while drawing is cheap, and slower
 * (down to twice a second) the more it costs. All charts of the page share one part of its time, so that ten curves
 * that grow together leave as much of it to the person as one does. What charts that seldom draw leave of that part,
 * the others may use.
 */

const FASTEST_MS = 33;
const SLOWEST_MS = 500;
/** All charts together may use about this share of the page's time. */
const SHARE = 0.3;
/** How far back drawings count. */
const WINDOW_MS = 1000;

/** The drawings of one chart: their ends and what each cost, in milliseconds, the last one at the end. */
export type Drawings = readonly { readonly end: number; readonly cost: number }[];

/** Milliseconds from the end of a chart's drawing to its next one. */
export function pauseFor(mine: Drawings, others: Iterable<Drawings>, now: number): number {
  const cost = mine.at(-1)?.cost ?? 0;
  let turn = cost;
  let used = 0;
  for (const drawings of others) {
    const recent = drawings.filter(({ end }) => now - end < WINDOW_MS);
    turn += recent.at(-1)?.cost ?? 0;
    for (const one of recent) used += one.cost / WINDOW_MS;
  }
  // In turns with all others, or within what they leave: whichever comes sooner.
  const left = Math.max(SHARE - used, Number.EPSILON);
  return Math.min(SLOWEST_MS, Math.max(FASTEST_MS, Math.min(turn / SHARE, cost / left)));
}

/** The drawings of every chart that is mounted, within the window. */
const drawn = new Map<Redraw, Drawings>();

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
    const wait = this.readyAt(now) - now;
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
    drawn.delete(this);
    this.ended = true;
  }

  private readyAt(now: number): number {
    const mine = drawn.get(this);
    const last = mine?.at(-1);
    if (!mine || !last) {
      return now;
    }
    const others = [...drawn].flatMap(([chart, drawings]) => (chart === this ? [] : [drawings]));
    return last.end + pauseFor(mine, others, now);
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
        const recent = (drawn.get(this) ?? []).filter((one) => end - one.end < WINDOW_MS);
        drawn.set(this, [...recent, { end, cost: end - begin }]);
      }
      if (this.again) {
        this.again = false;
        this.request();
      }
    }
  }
}
