/** Save a chart or its points as a file. Called by the chart cards. */
import type { ChartLine } from "./lineFigure";

export function saveUrl(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}

export function saveText(text: string, name: string, type = "text/csv"): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  saveUrl(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function cell(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** One row a point: curve, step, time in ISO 8601, value, and the bucket's bounds where points were merged. */
export function linesToCsv(lines: readonly ChartLine[]): string {
  const rows = ["curve,step,time,value,min,max"];
  for (const { name, series } of lines) {
    for (let index = 0; index < series.steps.length; index += 1) {
      const time = new Date(series.t[index]! * 1000).toISOString();
      rows.push(
        [cell(name), series.steps[index], time, series.last[index], series.min[index], series.max[index]].join(","),
      );
    }
  }
  return `${rows.join("\n")}\n`;
}
