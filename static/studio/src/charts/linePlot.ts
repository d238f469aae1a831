/**
 * One plotly.js line chart, driven imperatively: React never sees its points.
 *
 * `LineChart` hands it lines and options; it draws with `Plotly.react`, keeps the zoom, reports zooming and
 * hovering, and marks the group's cursor with one cheap element instead of a redraw.
 */
import type { Cursor, CursorGroup } from "./cursor";
import { translate } from "./curves";
import { atRest, clear, draw } from "./drawing";
import { type ChartLine, type ChartOptions, type DrawnLine, lineFigure } from "./lineFigure";
import { loadPlotly, type Plotly } from "./loadPlotly";
import { Redraw } from "./redraw";

export interface LineModel {
  lines: readonly ChartLine[];
  options: ChartOptions;
  hidden: ReadonlySet<string>;
}

/** Where the x axis lies now, for what is drawn under the chart in line with it. */
export interface AxisView {
  /** Pixels from the left of the chart to its axis. */
  left: number;
  width: number;
  /** Pixels from the left of the axis to a step of a line (the first one without an id); NaN without the line. */
  place: (step: number, lineId?: string) => number;
  /** The step of a line at so many pixels. */
  stepAt: (pixel: number, lineId?: string) => number;
}

export interface PlotEvents {
  /** A visible range of steps, or null for everything. */
  onZoom?: (steps: [number, number] | null) => void;
  onCursor?: (x: number | null) => void;
  onAxis?: (view: AxisView) => void;
  onDrawn?: () => void;
  onFailed?: (error: Error) => void;
}

interface PlotAxis {
  _offset: number;
  _length: number;
  l2p: (value: number) => number;
  p2l: (pixel: number) => number;
  range: [number | string, number | string];
}

type PlotElement = HTMLDivElement & {
  _fullLayout?: { xaxis: PlotAxis; yaxis: PlotAxis };
  on: (name: string, handler: (event: Record<string, unknown>) => void) => void;
};

const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false as const, showTips: false };
let plotCount = 0;

export class LinePlot {
  readonly id = `plot-${++plotCount}`;
  private plotly: Plotly | null = null;
  private model: LineModel | null = null;
  private drawn: DrawnLine[] = [];
  private revision = 0;
  private resets = 0;
  private bound = false;
  private gone = false;
  private said = "";
  private readonly redraw = new Redraw(() => this.paint());
  private readonly marker: HTMLDivElement;
  private readonly unsubscribe: () => void;
  private readonly resize: ResizeObserver;

  constructor(
    private readonly host: HTMLDivElement,
    private readonly cursors: CursorGroup,
    private readonly events: PlotEvents,
  ) {
    this.marker = document.createElement("div");
    this.marker.className = "chart-cursor";
    this.marker.hidden = true;
    host.parentElement?.append(this.marker);
    this.unsubscribe = cursors.subscribe((cursor) => this.mark(cursor));
    this.resize = new ResizeObserver(() => this.redraw.request());
    this.resize.observe(host);
  }

  private get element(): PlotElement {
    return this.host as unknown as PlotElement;
  }

  update(model: LineModel): void {
    this.model = model;
    this.redraw.request();
  }

  /** Show the steps between two, as if somebody had dragged over them. */
  zoomTo([low, high]: [number, number]): void {
    const first = this.drawn[0];
    if (!first || !this.plotly) {
      return;
    }
    const ends = [low, high].map((step) => this.toLinear(translate(first.line.series.steps, first.x, step) ?? 0));
    if (ends[1]! > ends[0]!) {
      // Named as when somebody drags, so that the zoom is heard of and the server is asked for more points.
      void this.plotly.relayout(this.host, { "xaxis.range[0]": ends[0], "xaxis.range[1]": ends[1] } as never);
    }
  }

  resetZoom(): void {
    this.resets += 1;
    this.events.onZoom?.(null);
    this.redraw.request();
  }

  destroy(): void {
    this.gone = true;
    this.redraw.end();
    this.unsubscribe();
    this.resize.disconnect();
    this.marker.remove();
    if (this.plotly) {
      clear(this.plotly, this.host);
    }
  }

  async image(format: "png" | "svg", width: number, height: number): Promise<string> {
    const plotly = this.plotly ?? (await loadPlotly());
    return plotly.toImage(this.element as never, { format, width, height, scale: format === "png" ? 2 : 1 });
  }

  private async paint(): Promise<void> {
    try {
      this.plotly ??= await loadPlotly();
    } catch (error) {
      this.events.onFailed?.(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    await atRest(this.host);
    if (this.gone || !this.model || this.host.clientWidth === 0) {
      return;
    }
    const { lines, options, hidden } = this.model;
    const figure = lineFigure(lines, options, hidden);
    this.drawn = figure.drawn;
    this.revision += 1;
    await draw(
      this.plotly,
      this.host,
      figure.data,
      {
        ...figure.layout,
        width: this.host.clientWidth,
        height: this.host.clientHeight,
        datarevision: this.revision,
        uirevision: `${options.axis} ${options.xLog} ${options.yLog} ${options.ignoreOutliers} ${this.resets}`,
      },
      CONFIG,
    );
    if (this.gone) {
      return;
    }
    this.bind();
    this.sayAxis();
    this.events.onDrawn?.();
  }

  /** Tell where the axis is, when that changed. */
  private sayAxis(): void {
    const axis = this.element._fullLayout?.xaxis;
    const { onAxis } = this.events;
    if (!axis || !onAxis) {
      return;
    }
    const lines = this.drawn;
    const said = JSON.stringify([axis._offset, axis._length, axis.range, lines.map(({ x }) => [x.length, x.at(-1)])]);
    if (said === this.said) {
      return;
    }
    this.said = said;
    const lineOf = (id: string | undefined) => (id === undefined ? lines[0] : lines.find(({ line }) => line.id === id));
    onAxis({
      left: axis._offset,
      width: axis._length,
      place: (step, id) => {
        const found = lineOf(id);
        const x = found && translate(found.line.series.steps, found.x, step);
        return x === null || x === undefined ? Number.NaN : axis.l2p(this.toLinear(x));
      },
      stepAt: (pixel, id) => {
        const found = lineOf(id);
        return found ? (translate(found.x, found.line.series.steps, this.fromLinear(axis.p2l(pixel))) ?? 0) : 0;
      },
    });
  }

  private bind(): void {
    if (this.bound) {
      return;
    }
    this.bound = true;
    const element = this.element;
    element.on("plotly_relayout", (event) => this.zoomed(event));
    element.on("plotly_doubleclick", () => this.resetZoom());
    element.on("plotly_hover", (event) => this.hovered(event.event as MouseEvent));
    element.on("plotly_unhover", () => {
      this.events.onCursor?.(null);
      this.cursors.set(null);
    });
  }

  /** A place on the axis in the units of the drawn curves, from the axis' own linear units. */
  private fromLinear(value: number): number {
    return this.model?.options.xLog && this.model.options.axis !== "wall" ? 10 ** value : value;
  }

  private toLinear(value: number): number {
    return this.model?.options.xLog && this.model.options.axis !== "wall" ? Math.log10(value) : value;
  }

  private zoomed(event: Record<string, unknown>): void {
    this.sayAxis();
    if (event["xaxis.autorange"] === true) {
      this.events.onZoom?.(null);
      return;
    }
    const axis = this.element._fullLayout?.xaxis;
    const first = this.drawn[0];
    if (!("xaxis.range[0]" in event) || !axis || !first) {
      return;
    }
    const from = this.fromLinear(axis.p2l(0));
    const to = this.fromLinear(axis.p2l(axis._length));
    const low = translate(first.x, first.line.series.steps, from) ?? 0;
    const high = translate(first.x, first.line.series.steps, to) ?? 0;
    this.events.onZoom?.([Math.floor(low), Math.ceil(high)]);
  }

  private hovered(event: MouseEvent): void {
    const axis = this.element._fullLayout?.xaxis;
    if (!axis || !this.model) {
      return;
    }
    const left = this.host.getBoundingClientRect().left + axis._offset;
    const x = this.fromLinear(axis.p2l(event.clientX - left));
    const first = this.drawn[0];
    this.events.onCursor?.(x);
    this.cursors.set({
      axis: this.model.options.axis,
      x,
      t: first ? translate(first.x, first.line.series.t, x) : null,
      source: this.id,
    });
  }

  private mark(cursor: Cursor | null): void {
    const layout = this.element._fullLayout;
    const place = cursor && cursor.source !== this.id ? this.placeOf(cursor) : null;
    if (place === null || !layout) {
      this.marker.hidden = true;
      if (cursor?.source !== this.id) {
        this.events.onCursor?.(null);
      }
      return;
    }
    const pixel = layout.xaxis.l2p(this.toLinear(place));
    const visible = pixel >= 0 && pixel <= layout.xaxis._length;
    this.marker.hidden = !visible;
    this.marker.style.transform = `translateX(${layout.xaxis._offset + pixel}px)`;
    this.marker.style.top = `${layout.yaxis._offset}px`;
    this.marker.style.height = `${layout.yaxis._length}px`;
    this.events.onCursor?.(place);
  }

  private placeOf(cursor: Cursor): number | null {
    const first = this.drawn[0];
    if (!first || !this.model) {
      return null;
    }
    if (cursor.t !== null) {
      const { t } = first.line.series;
      if (cursor.t < (t[0] ?? 0) - 1 || cursor.t > (t[t.length - 1] ?? 0) + 1) {
        return null;
      }
      return translate(t, first.x, cursor.t);
    }
    return cursor.axis === this.model.options.axis ? cursor.x : null;
  }
}
