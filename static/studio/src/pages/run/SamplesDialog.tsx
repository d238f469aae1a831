/** The samples behind one cell of a confusion matrix: images with their prediction, or rows of a table. */
import { PreviewView } from "../../charts";
import { t } from "../../i18n";
import { useLoad } from "../../lib/live";
import type { Json, Preview } from "../../lib/types";
import { artifactFile } from "../../lib/urls";
import { Dialog, EmptyState, ErrorState, LoadingState } from "../../ui";
import styles from "./run.module.css";

/** A cell of the matrix by the names of its classes. */
export interface Cell {
  label: string;
  predicted: string;
}

interface Sample extends Cell {
  probability?: number;
  src?: string;
  row?: Record<string, Json>;
}

/** `samples.json` of an evaluation: a few samples of each cell, and how many there are in all. */
export interface SamplesFile {
  items: Sample[];
  counts?: Record<string, Record<string, number>>;
}

export interface SamplesDialogProps {
  workspaceId: string;
  digest: string;
  cell: Cell;
  onClose: () => void;
}

/** The samples of a cell as a preview; null when nothing fell into it. */
export function cellPreview(file: SamplesFile, { label, predicted }: Cell): Preview | null {
  const found = file.items.filter((item) => item.label === label && item.predicted === predicted);
  if (found.length === 0) {
    return null;
  }
  const total = file.counts?.[label]?.[predicted] ?? found.length;
  if (found.some((item) => item.src)) {
    const items = found.map(({ src = "", probability }) => ({ src, probability, label, predicted }));
    return { kind: "images", total, items };
  }
  const columns = [...new Set(found.flatMap((item) => Object.keys(item.row ?? {})))];
  const rows = found.map((item) => columns.map((column) => item.row?.[column] ?? null));
  return { kind: "table", columns, rows, total };
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
