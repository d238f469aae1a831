/**
 * How often a chart draws: at once when it was quiet, never more than ten times a second, and slower
 * (down to twice a second) the more a draw costs.
 */

const FASTEST_MS = 100;
const SLOWEST_MS = 500;
/** A chart may use about this share of the page's time. */
const SHARE = 0.3;

export class Redraw {
  private lastEnd = 0;
  private interval = FASTEST_MS;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private frame = 0;
  private busy = false;
  private again = false;

  constructor(private readonly draw: () => Promise<void> | void) {}

  request(): void {
    if (this.busy) {
      this.again = true;
      return;
    }
    if (this.timer !== null || this.frame !== 0) {
      return;
    }
    const wait = this.lastEnd + this.interval - performance.now();
    if (wait > 0) {
      this.timer = setTimeout(() => {
        this.timer = null;
        this.schedule();
      }, wait);
    } else {
      this.schedule();
    }
  }

  cancel(): void {
    if (this.timer !== null) {
      clearTimeout(this.timer);
    }
    cancelAnimationFrame(this.frame);
    this.timer = null;
    this.frame = 0;
    this.again = false;
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
      this.lastEnd = performance.now();
      this.interval = Math.min(SLOWEST_MS, Math.max(FASTEST_MS, (this.lastEnd - begin) / SHARE));
      if (this.again) {
        this.again = false;
        this.request();
      }
    }
  }
}
