/** One run: graph with statuses, live curves, results, log, configuration. What it shows survives a reload. */
import { useState } from "react";
import { loadPlotly } from "../charts";
import { t } from "../i18n";
import { useRun } from "../lib/live";
import type { PageProps } from "../lib/types";
import { ErrorState, LoadingState, Tabs } from "../ui";
import { BlockPanel } from "./run/BlockPanel";
import { Configuration } from "./run/Configuration";
import { FailureCard } from "./run/FailureCard";
import { LogView } from "./run/LogView";
import { Outputs } from "./run/Outputs";
import { RunCharts } from "./run/RunCharts";
import { RunCompression } from "./run/RunCompression";
import { RunHeader } from "./run/RunHeader";
import { RunNow } from "./run/RunNow";
import styles from "./run/run.module.css";
import { useRunHistory } from "./run/useRunHistory";
import { DocumentGraph } from "./shared/DocumentGraph";
import { useUrlState } from "./shared/useUrlState";

// The curves are the first thing that a reader waits for: fetch the chart code beside the data.
void loadPlotly().catch(() => undefined);

const TABS = ["charts", "results", "log", "configuration"];

export default function RunPage({ runId, workspace }: PageProps) {
  const { state, link, error, reload } = useRun(runId ?? null);
  const history = useRunHistory(state);
  const [tab, setTab] = useUrlState("tab", "charts");
  const [block, setBlock] = useState<string | null>(null);
  const [logBlock, setLogBlock] = useState<string | null>(null);
  const [focusSeq, setFocusSeq] = useState<number | null>(null);
  if (error) {
    return <ErrorState error={error} retry={reload} />;
  }
  if (!state) {
    return <LoadingState />;
  }
  const { run } = state;
  const mayEdit = workspace.role !== "viewer";
  const showLog = (at: string | null, toError: boolean) => {
    const lines = history.log.filter((line) => at === null || line.block === at);
    const wanted = toError ? (lines.find((line) => line.level === "error") ?? lines[lines.length - 1]) : undefined;
    setLogBlock(toError ? null : at);
    setFocusSeq(wanted?.seq ?? null);
    setTab("log");
  };
  return (
    <div className={styles.main}>
      <div>
        <RunHeader state={state} link={link} mayEdit={mayEdit} onChanged={reload} />
        <RunNow run={run} />
        <div className={styles.graph}>
          <DocumentGraph
            document={run.document}
            label={t("Blocks of the run")}
            blocks={run.blocks}
            selected={block}
            onSelect={(id) => setBlock(id === block ? null : id)}
            maxHeight={300}
          />
        </div>
      </div>
      <FailureCard run={run} onShowLog={(at) => showLog(at, true)} />
      {block && (
        <BlockPanel run={run} block={block} onClose={() => setBlock(null)} onShowLog={() => showLog(block, false)} />
      )}
      <Tabs
        label={t("Parts of the run")}
        value={TABS.includes(tab) ? tab : "charts"}
        onChange={setTab}
        tabs={[
          { id: "charts", label: t("Charts") },
          { id: "results", label: t("Results") },
          { id: "log", label: t("Log") },
          { id: "configuration", label: t("Configuration") },
        ]}
      >
        <div style={{ paddingTop: 16 }}>
          {tab === "results" ? (
            <Outputs run={run} workspaceId={workspace.id} mayEdit={mayEdit} block={block} />
          ) : tab === "log" ? (
            <LogView
              lines={history.log}
              blocks={Object.keys(run.document.blocks)}
              block={logBlock}
              onBlock={setLogBlock}
              focusSeq={focusSeq}
            />
          ) : tab === "configuration" ? (
            <Configuration run={run} />
          ) : (
            <div className="stack">
              <RunCompression run={run} decisions={history.decisions} workspaceId={workspace.id} mayEdit={mayEdit} />
              <RunCharts
                projectId={run.project}
                state={state}
                decisions={history.decisions}
                stale={link === "offline"}
              />
            </div>
          )}
        </div>
      </Tabs>
    </div>
  );
}
