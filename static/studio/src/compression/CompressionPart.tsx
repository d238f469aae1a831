/**
 * What a compress block did: the search with its chart, before and after, and how sensitive each layer is.
 *
 * Shown on the run page and, narrow, in the inspector of the builder. Reads the outputs of one block of a run.
 */
import { useMemo } from "react";
import { t } from "../i18n";
import type { Decision } from "../lib/decisions";
import { useLoad } from "../lib/live";
import type { BlockRun } from "../lib/runTypes";
import type { Json } from "../lib/types";
import { artifactFile } from "../lib/urls";
import { ErrorState } from "../ui";
import { BeforeAfter } from "./BeforeAfter";
import { searchOfDecisions, searchOfFront } from "./candidates";
import { rowsOfReport } from "./comparison";
import styles from "./compression.module.css";
import { SearchView } from "./SearchView";
import { Sensitivity } from "./Sensitivity";

export interface CompressionPartProps {
  block: string;
  /** Of the block, such as `compress.int8`. */
  type: string;
  state: BlockRun;
  decisions: readonly Decision[];
  projectId: string;
  runId: string;
  workspaceId: string;
  mayEdit: boolean;
  narrow?: boolean;
}

const SEARCH = "compress.search";

export const isCompression = (type: string | undefined): boolean => type?.startsWith("compress.") ?? false;

/** True when there is, or will be, more to see than the numbers of the block. */
export function hasCompression(type: string | undefined, state: BlockRun | undefined): boolean {
  if (!isCompression(type) || !state) {
    return false;
  }
  const searched = type === SEARCH && state.state !== "waiting" && state.state !== "skipped";
  const outputs = Object.keys(state.outputs ?? {});
  return searched || outputs.includes("front") || outputs.includes("sensitivity") || reportOf(state).length > 0;
}

const reportOf = (state: BlockRun) => rowsOfReport(state.metrics ?? {});

export function CompressionPart(props: CompressionPartProps) {
  const { block, type, state, decisions, projectId, runId, workspaceId, mayEdit, narrow } = props;
  const front = state.outputs?.front?.digest ?? null;
  const stored = useLoad<Json>(front && artifactFile(workspaceId, front, "front.json"));
  const live = useMemo(() => searchOfDecisions(decisions, block), [decisions, block]);
  const search = useMemo(
    () => (front === null || stored.data === null ? live : searchOfFront(stored.data)),
    [front, stored.data, live],
  );
  const running = state.state === "running";
  const sensitivity = state.outputs?.sensitivity;
  const searches = type === SEARCH || search.candidates.length > 0 || front !== null;
  return (
    <div className="stack">
      {stored.error && <ErrorState compact error={stored.error} retry={stored.reload} />}
      {searches ? (
        <SearchView
          search={search}
          running={running}
          chosen={state.outputs?.model?.digest ?? null}
          projectId={projectId}
          runId={runId}
          block={block}
          mayEdit={mayEdit}
          narrow={narrow}
        />
      ) : (
        <div className={styles.report}>
          <BeforeAfter rows={reportOf(state)} />
        </div>
      )}
      {sensitivity && (
        <section aria-label={t("Sensitivity of the layers")}>
          <h3>{t("Sensitivity of the layers")}</h3>
          <Sensitivity workspaceId={workspaceId} digest={sensitivity.digest} narrow={narrow} />
        </section>
      )}
    </div>
  );
}
