/** The samples behind one cell of a confusion matrix: images with their prediction, or rows of a table. */
import { PreviewView } from "../../charts";
import { t } from "../../i18n";
import { useLoad } from "../../lib/live";
import type { Json, Preview } from "../../lib/types";
import { artifactFile } from "../../lib/urls";
import { Dialog, EmptyState, ErrorState, LoadingState } from "../../ui";
import styles from "./run.module.css";

/** A cell: class numbers as in the file, class names for the reader. */
export interface Cell {
  key: string;
  label: string;
  predicted: string;
}

interface CellItem {
  src?: string;
  row?: Json[];
  index: number;
  probability?: number;
}

/** `samples.json` of an evaluation: up to `limit` samples of each cell `<true>_<predicted>`. */
export interface SamplesFile {
  kind: "images" | "table";
  limit: number;
  columns?: string[];
  cells: Record<string, { total: number; items: CellItem[] }>;
}

export interface SamplesDialogProps {
  workspaceId: string;
  digest: string;
  cell: Cell;
  onClose: () => void;
}

/** The samples of a cell as a preview; null when nothing fell into it. */
export function cellPreview(file: SamplesFile, cell: Cell): Preview | null {
  const found = file.cells[cell.key];
  if (!found || found.items.length === 0) {
    return null;
  }
  if (file.kind === "images") {
    const items = found.items.map(({ src = "", probability }) => ({
      src,
      probability,
      label: cell.label,
      predicted: cell.predicted,
    }));
    return { kind: "images", total: found.total, items };
  }
  return {
    kind: "table",
    columns: file.columns ?? [],
    rows: found.items.map(({ row }) => row ?? []),
    total: found.total,
  };
}

export function SamplesDialog({ workspaceId, digest, cell, onClose }: SamplesDialogProps) {
  const { data, error, reload } = useLoad<SamplesFile>(artifactFile(workspaceId, digest, "samples.json"));
  const preview = data && cellPreview(data, cell);
  return (
    <Dialog
      wide
      title={t("Labelled {label}, predicted {predicted}", { label: cell.label, predicted: cell.predicted })}
      onClose={onClose}
    >
      <div className={styles.samples}>
        {error ? (
          <ErrorState compact error={error} retry={reload} />
        ) : !data ? (
          <LoadingState compact />
        ) : preview ? (
          <PreviewView preview={preview} label={t("Samples")} />
        ) : (
          <EmptyState compact icon="image" title={t("No sample fell into this cell")} />
        )}
      </div>
    </Dialog>
  );
}
