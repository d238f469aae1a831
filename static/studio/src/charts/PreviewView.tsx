/** What an artifact holds, at a glance: images or texts with predictions, a table, a figure, or numbers. */
import { t } from "../i18n";
import { formatMetric, formatPercent } from "../lib/format";
import type { Json, Preview } from "../lib/types";
import { EmptyState } from "../ui/states";
import { PlotlyFigure } from "./PlotlyFigure";
import "./preview.css";

export interface PreviewViewProps {
  preview: Preview;
  label: string;
  /** Fewer items, smaller figures: for a block on the canvas. */
  compact?: boolean;
}

export function PreviewView({ preview, label, compact }: PreviewViewProps) {
  if (preview.kind === "images") {
    return <Images preview={preview} compact={compact} />;
  }
  if (preview.kind === "table") {
    return <TablePreview preview={preview} compact={compact} />;
  }
  if (preview.kind === "texts") {
    return <Texts preview={preview} compact={compact} />;
  }
  if (preview.kind === "figure") {
    return <PlotlyFigure figure={preview.figure} label={label} height={compact ? 200 : 400} />;
  }
  return <Numbers values={preview.values} />;
}

function Images({ preview, compact }: { preview: Extract<Preview, { kind: "images" }>; compact?: boolean }) {
  if (preview.items.length === 0) {
    return <EmptyState compact icon="image" title={t("No images")} />;
  }
  const items = compact ? preview.items.slice(0, 8) : preview.items;
  return (
    <div>
      <ul className="preview-images" data-compact={compact || undefined}>
        {items.map((item, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the images of a preview never change places
          <li key={index}>
            <img src={item.src} alt={item.label ?? t("Sample {number}", { number: index + 1 })} loading="lazy" />
            <Caption item={item} />
          </li>
        ))}
      </ul>
      {!compact && preview.total > items.length && (
        <p className="muted small">{t("{shown} of {total} images", { shown: items.length, total: preview.total })}</p>
      )}
    </div>
  );
}

interface Labelled {
  label?: string | null;
  predicted?: string | null;
  probability?: number;
}

function Caption({ item }: { item: Labelled }) {
  if (item.predicted === undefined || item.predicted === null) {
    return item.label === undefined || item.label === null ? null : <span>{item.label}</span>;
  }
  const known = item.label !== undefined && item.label !== null;
  const right = known && item.label === item.predicted;
  const tone = known ? (right ? "ok" : "wrong") : undefined;
  return (
    <span data-tone={tone} title={known ? t("Label: {label}", { label: item.label }) : undefined}>
      {known && !right ? `${item.label} → ${item.predicted}` : item.predicted}
      {typeof item.probability === "number" && <small>{formatPercent(item.probability, 0)}</small>}
    </span>
  );
}

function Texts({ preview, compact }: { preview: Extract<Preview, { kind: "texts" }>; compact?: boolean }) {
  const items = compact ? preview.items.slice(0, 3) : preview.items;
  return (
    <div>
      <ul className="preview-texts" data-compact={compact || undefined}>
        {items.map((item, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the texts of a preview never change places
          <li key={index}>
            <p translate="no">{item.text}</p>
            <Caption item={item} />
          </li>
        ))}
      </ul>
      {preview.total > items.length && (
        <p className="muted small">{t("{shown} of {total} texts", { shown: items.length, total: preview.total })}</p>
      )}
    </div>
  );
}

function show(value: Json | undefined): string {
  if (value === null || value === undefined) {
    return "";
  }
  return typeof value === "number"
    ? formatMetric(value)
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);
}

function TablePreview({ preview, compact }: { preview: Extract<Preview, { kind: "table" }>; compact?: boolean }) {
  const rows = compact ? preview.rows.slice(0, 5) : preview.rows;
  const columns = compact ? preview.columns.slice(0, 4) : preview.columns;
  return (
    <div>
      <div className="table-scroll preview-table">
        <table className="table" translate="no">
          <thead>
            <tr>
              {columns.map((column, at) => (
                <th key={column} className={typeof rows[0]?.[at] === "number" ? "numeric" : undefined}>
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: the rows of a preview never change places
              <tr key={index}>
                {columns.map((column, at) => (
                  <td key={column} className={typeof row[at] === "number" ? "numeric" : undefined}>
                    {show(row[at])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {preview.total > rows.length && (
        <p className="muted small">{t("{shown} of {total} rows", { shown: rows.length, total: preview.total })}</p>
      )}
    </div>
  );
}

function Numbers({ values }: { values: Record<string, number> }) {
  return (
    <dl className="preview-numbers">
      {Object.entries(values).map(([name, value]) => (
        <div key={name}>
          <dt>{t(name.replaceAll("_", " "))}</dt>
          <dd className="numeric">{formatMetric(value)}</dd>
        </div>
      ))}
    </dl>
  );
}
