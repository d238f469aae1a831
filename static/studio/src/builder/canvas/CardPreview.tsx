/** The result of a block on its card: images, a table, a figure. Fetched once per artifact. */
import { lazy, memo, Suspense, useEffect, useState } from "react";
import { t } from "../../i18n";
import { formatNumber } from "../../lib/format";
import type { OutputJson } from "../../lib/runTypes";
import type { Preview } from "../../lib/types";
import { useBuilderState } from "../store/context";
import { loadPreview } from "./previews";

const FigurePreview = lazy(() => import("./FigurePreview"));

/** Kinds worth a picture, the most telling first. Metrics are on the foot of the card already. */
const SHOWN = ["figure", "predictions", "images", "text", "table", "dataset"];

function pick(outputs: Readonly<Record<string, OutputJson>> | undefined): string | null {
  const shown = Object.values(outputs ?? {}).filter((output) => output.preview && SHOWN.includes(output.kind));
  shown.sort((a, b) => SHOWN.indexOf(a.kind) - SHOWN.indexOf(b.kind));
  return shown[0]?.digest ?? null;
}

export const CardPreview = memo(function CardPreview({ id }: { id: string }) {
  const digest = useBuilderState((state) => pick(state.run?.blocks[id]?.outputs));
  const workspaceId = useBuilderState((state) => state.workspaceId);
  const [preview, setPreview] = useState<Preview | null>(null);

  useEffect(() => {
    let current = true;
    setPreview(null);
    if (digest)
      loadPreview(workspaceId, digest).then((loaded) => {
        if (current) setPreview(loaded);
      });
    return () => {
      current = false;
    };
  }, [digest, workspaceId]);

  return preview ? <PreviewBody preview={preview} /> : null;
});

function PreviewBody({ preview }: { preview: Preview }) {
  switch (preview.kind) {
    case "images":
      return <ImagesPreview preview={preview} />;
    case "table":
      return <TablePreview preview={preview} />;
    case "texts":
      return <TextsPreview preview={preview} />;
    case "figure":
      return (
        <div className="block-preview block-figure">
          <Suspense fallback={null}>
            <FigurePreview figure={preview.figure} />
          </Suspense>
        </div>
      );
    default:
      return null;
  }
}

function ImagesPreview({ preview }: { preview: Extract<Preview, { kind: "images" }> }) {
  return (
    <div className="block-preview">
      <div className="block-images">
        {preview.items.slice(0, 10).map((item, index) => (
          <figure
            // biome-ignore lint/suspicious/noArrayIndexKey: the pictures of one artifact never change order
            key={index}
            data-wrong={
              (item.predicted !== undefined && item.label !== undefined && item.predicted !== item.label) || undefined
            }
          >
            <img src={item.src} alt={item.predicted ?? item.label ?? ""} title={item.label} />
            {item.predicted !== undefined && <figcaption>{item.predicted}</figcaption>}
          </figure>
        ))}
      </div>
      <div className="block-preview-note">{t("{count} images", { count: preview.total })}</div>
    </div>
  );
}

function TextsPreview({ preview }: { preview: Extract<Preview, { kind: "texts" }> }) {
  return (
    <div className="block-preview">
      <ul className="block-texts" translate="no">
        {preview.items.slice(0, 3).map((item, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the texts of one artifact never change order
          <li key={index} title={item.text}>
            {(item.predicted ?? item.label) && (
              <b
                data-wrong={
                  (item.predicted !== undefined && !!item.label && item.predicted !== item.label) || undefined
                }
              >
                {item.predicted ?? item.label}
              </b>
            )}
            {item.text}
          </li>
        ))}
      </ul>
      <div className="block-preview-note">{t("{count} texts", { count: preview.total })}</div>
    </div>
  );
}

function TablePreview({ preview }: { preview: Extract<Preview, { kind: "table" }> }) {
  const columns = preview.columns.slice(0, 4);
  return (
    <div className="block-preview">
      <table className="block-table" translate="no">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column}>{column}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {preview.rows.slice(0, 3).map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the rows of one artifact never change order
            <tr key={index}>
              {columns.map((column, at) => (
                <td key={column}>{cell(row[at])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <div className="block-preview-note">
        {t("{rows} rows, {columns} columns", { rows: preview.total, columns: preview.columns.length })}
      </div>
    </div>
  );
}

const cell = (value: unknown): string =>
  typeof value === "number" ? formatNumber(value, 4) : value === null || value === undefined ? "" : String(value);
