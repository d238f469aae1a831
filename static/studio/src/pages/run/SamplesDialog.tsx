/** The samples behind one cell of a confusion matrix: images with their prediction, or rows of a table. */
import { PreviewView } from "../../charts";
import { t, tn } from "../../i18n";
import { useLoad } from "../../lib/live";
import type { Json, Preview } from "../../lib/types";
import { artifactFile } from "../../lib/urls";
import { Dialog, EmptyState, ErrorState, LoadingState } from "../../ui";
import styles from "./run.module.css";

export interface SampleQuery {
  label: string;
  predicted: string;
}

export interface Sample {
  label: string;
  predicted: string;
  probability?: number;
  index: number;
  name?: string;
  src?: string;
  row?: Record<string, Json>;
}

export interface SamplesDialogProps {
  workspaceId: string;
  digest: string;
  query: SampleQuery;
  onClose: () => void;
}

/** Images as an image preview, table rows as a table preview. */
export function samplesPreview(samples: readonly Sample[]): Preview {
  if (samples.some((sample) => sample.src)) {
    const items = samples.map(({ src = "", label, predicted, probability }) => ({
      src,
      label,
      predicted,
      probability,
    }));
    return { kind: "images", total: items.length, items };
  }
  const columns = [...new Set(samples.flatMap((sample) => Object.keys(sample.row ?? {})))];
  const rows = samples.map((sample) => columns.map((column) => sample.row?.[column] ?? null));
  return { kind: "table", columns, rows, total: rows.length };
}

export function SamplesDialog({ workspaceId, digest, query, onClose }: SamplesDialogProps) {
  const { data, error, reload } = useLoad<{ items: Sample[] }>(artifactFile(workspaceId, digest, "samples.json"));
  const found = data?.items.filter((one) => one.label === query.label && one.predicted === query.predicted);
  return (
    <Dialog
      wide
      title={t("Labelled {label}, predicted {predicted}", { label: query.label, predicted: query.predicted })}
      onClose={onClose}
    >
      <div className={styles.samples}>
        {error ? (
          <ErrorState compact error={error} retry={reload} />
        ) : !found ? (
          <LoadingState compact />
        ) : found.length === 0 ? (
          <EmptyState compact icon="image" title={t("No sample fell into this cell")} />
        ) : (
          <>
            <p className="muted small">{tn("{count} sample", "{count} samples", found.length)}</p>
            <PreviewView preview={samplesPreview(found)} label={t("Samples")} />
          </>
        )}
      </div>
    </Dialog>
  );
}
