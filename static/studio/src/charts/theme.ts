/** Colours of the page for plotly.js, which cannot read custom properties. Called by the chart components. */
import { useSyncExternalStore } from "react";

export const SERIES_COLORS = 10;

let probe: HTMLElement | null = null;
let cache = new Map<string, string>();

/** The resolved value of a colour token in the page's theme, as `rgb(...)`. */
export function color(token: string): string {
  let value = cache.get(token);
  if (value === undefined) {
    if (!probe) {
      probe = document.createElement("span");
      probe.hidden = true;
      document.body.append(probe);
    }
    probe.style.color = `var(${token})`;
    value = getComputedStyle(probe).color;
    cache.set(token, value);
  }
  return value;
}

/** The token of the n-th series; colours repeat after ten. */
export function seriesToken(index: number): string {
  return `--series-${(index % SERIES_COLORS) + 1}`;
}

export function withAlpha(rgb: string, alpha: number): string {
  const parts = rgb.match(/[\d.]+/g) ?? ["0", "0", "0"];
  return `rgba(${parts.slice(0, 3).join(",")},${alpha})`;
}

let generation = 0;
const listeners = new Set<() => void>();

function changed(): void {
  generation += 1;
  cache = new Map();
  for (const listener of listeners) {
    listener();
  }
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) {
    const scheme = window.matchMedia?.("(prefers-color-scheme: dark)");
    scheme?.addEventListener("change", changed);
    new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** A number that changes when the theme does; a chart draws again when it sees a new one. */
export function useThemeGeneration(): number {
  return useSyncExternalStore(subscribe, () => generation);
}

/** The layout that all figures share. */
export function baseLayout(): Record<string, unknown> {
  const grid = color("--border");
  const axis = {
    gridcolor: grid,
    zerolinecolor: grid,
    linecolor: grid,
    tickcolor: grid,
    automargin: true,
    tickfont: { size: 11 },
    title: { font: { size: 11 }, standoff: 6 },
  };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: color("--text-2") },
    margin: { l: 48, r: 12, t: 8, b: 32 },
    colorway: Array.from({ length: SERIES_COLORS }, (_, index) => color(seriesToken(index))),
    hoverlabel: {
      bgcolor: color("--surface"),
      bordercolor: color("--border-strong"),
      font: { color: color("--text"), size: 12 },
    },
    xaxis: axis,
    yaxis: axis,
  };
}
