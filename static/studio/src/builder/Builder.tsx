/**
 * The builder page: reads the catalog and the pipeline, takes over edits that an earlier visit could not save, and
 * opens the workspace.
 */
import { useCallback, useEffect, useState } from "react";
import type { Catalog, PipelineDocument, Problem } from "../graph/types";
import { t } from "../i18n";
import { api } from "../lib/api";
import type { PageProps, Pipeline } from "../lib/types";
import { ErrorState, LoadingState } from "../ui";
import { BuilderContext, type BuilderContextValue } from "./store/context";
import { adoptPending, tabIdentity } from "./store/queue";
import { createRemote, withoutSaved } from "./store/remote";
import { Saver } from "./store/saver";
import { createBuilderStore } from "./store/state";
import "./styles/builder.css";
import "./styles/canvas.css";
import "./styles/card.css";
import "./styles/inspector.css";
import "./styles/palette.css";
import "./styles/panels.css";
import { Workspace } from "./Workspace";

export default function Builder(props: PageProps) {
  const { pipelineId } = props;
  const [opened, setOpened] = useState<BuilderContextValue | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [attempt, setAttempt] = useState(0);
  const retry = useCallback(() => setAttempt((count) => count + 1), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the page's props never change; `attempt` asks again
  useEffect(() => {
    if (!pipelineId) return;
    const abort = new AbortController();
    let saver: Saver | null = null;
    setError(null);
    open(props, pipelineId, abort.signal).then(
      (value) => {
        if (abort.signal.aborted) value.saver.stop();
        else {
          saver = value.saver;
          setOpened(value);
        }
      },
      (reason: unknown) => {
        if (!abort.signal.aborted) setError(reason instanceof Error ? reason : new Error(String(reason)));
      },
    );
    return () => {
      abort.abort();
      saver?.stop();
    };
  }, [pipelineId, attempt]);

  if (error) return <ErrorState error={error} retry={retry} />;
  if (!opened) return <LoadingState label={t("Opening the pipeline…")} />;
  return (
    <BuilderContext value={opened}>
      <Workspace />
    </BuilderContext>
  );
}

async function open(props: PageProps, pipelineId: string, signal: AbortSignal): Promise<BuilderContextValue> {
  const [catalog, pipeline] = await Promise.all([
    api.get<Catalog>("/catalog", signal),
    api.get<Pipeline>(`/pipelines/${pipelineId}`, signal),
  ]);
  signal.throwIfAborted();
  const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  const { tab, previous } = tabIdentity(sessionStorage, navigation?.type === "reload");
  const adopted = pipeline.can_edit ? adoptPending(localStorage, pipelineId, previous) : [];
  const pending = await withoutSaved(pipelineId, pipeline.version, adopted);
  const store = createBuilderStore({
    pipelineId,
    projectId: props.project?.id ?? pipeline.project,
    workspaceId: props.workspace.id,
    canEdit: pipeline.can_edit,
    canRunCode: props.workspace.canRunCode,
    catalog,
    document: pipeline.document as PipelineDocument,
    version: pipeline.version,
    problems: pipeline.problems as Problem[],
    pending,
  });
  // On a narrow screen the canvas comes first.
  if (window.innerWidth < 900) store.setState({ paletteOpen: false, panel: null });
  return { store, saver: new Saver(store, createRemote(pipelineId), localStorage, tab) };
}
