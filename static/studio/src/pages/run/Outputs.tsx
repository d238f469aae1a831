/** What the blocks of a run made: previews, figures and files to download. */
import { useState } from "react";
import { PreviewView } from "../../charts";
import { type FigurePoint, PlotlyFigure } from "../../charts/PlotlyFigure";
import { Sensitivity } from "../../compression/Sensitivity";
import { msg, t } from "../../i18n";
import { formatBytes } from "../../lib/format";
import { useLoad } from "../../lib/live";
import type { BlockRun, OutputJson, Run } from "../../lib/runTypes";
import type { ArtifactManifest, Preview } from "../../lib/types";
import { artifactFile, urls } from "../../lib/urls";
import { Badge, Button, EmptyState, ErrorState, Icon, LoadingState } from "../../ui";
import { titleOf } from "../shared/DocumentGraph";
import { RegisterDialog } from "../shared/RegisterDialog";
import styles from "./run.module.css";
import { type Cell, SamplesDialog } from "./SamplesDialog";

export interface OutputsProps {
  run: Run;
  workspaceId: string;
  mayEdit: boolean;
  /** Show only this block's outputs. */
  block?: string | null;
}

function entries(blocks: Record<string, BlockRun>, only: string | null | undefined) {
  // The last block comes first: what a run was made for stands at its end.
  return Object.entries(blocks)
    .reverse()
    .filter(([id]) => !only || id === only)
    .flatMap(([id, block]) => Object.entries(block.outputs ?? {}).map(([port, output]) => ({ id, port, output })));
}

export function Outputs({ run, workspaceId, mayEdit, block }: OutputsProps) {
  const all = entries(run.blocks, block);
  if (all.length === 0) {
    return (
      <div className="card">
        <EmptyState compact icon="model" title={t("No results yet")}>
          {t("Each block shows here what it made, as soon as it is done.")}
        </EmptyState>
      </div>
    );
  }
  return (
    <div className={styles.outputs}>
      {all.map(({ id, port, output }) => (
        <Output
          key={`${id}.${port}`}
          run={run}
          workspaceId={workspaceId}
          block={id}
          port={port}
          output={output}
          mayEdit={mayEdit}
        />
      ))}
    </div>
  );
}

interface OutputProps {
  run: Run;
  workspaceId: string;
  block: string;
  port: string;
  output: OutputJson;
  mayEdit: boolean;
}

function Output({ run, workspaceId, block, port, output, mayEdit }: OutputProps) {
  const manifest = useLoad<ArtifactManifest>(`/workspaces/${workspaceId}/artifacts/${output.digest}`);
  const [registering, setRegistering] = useState(false);
  const files = Object.entries(manifest.data?.files ?? {}).filter(([name]) => name !== "preview.json");
  const hasSamples = manifest.data?.files["samples.json"] !== undefined;
  return (
    <article className={styles.output} aria-label={`${titleOf(run.document, block)} ${t(port.replaceAll("_", " "))}`}>
      <header className={styles.outputHead}>
        <h3>
          {titleOf(run.document, block)} <span className="muted">· {t(port.replaceAll("_", " "))}</span>
        </h3>
        <Badge>{t(kindLabel(output.kind))}</Badge>
        {output.kind === "model" && mayEdit && (
          <span className="push">
            <Button small icon="model" onClick={() => setRegistering(true)}>
              {t("Register model")}
            </Button>
          </span>
        )}
      </header>
      {port === "sensitivity" && output.kind === "figure" ? (
        <Sensitivity workspaceId={workspaceId} digest={output.digest} />
      ) : output.preview ? (
        <OutputPreview workspaceId={workspaceId} output={output} label={`${block}.${port}`} hasSamples={hasSamples} />
      ) : output.kind === "figure" ? (
        <StoredFigure workspaceId={workspaceId} output={output} label={`${block}.${port}`} hasSamples={hasSamples} />
      ) : null}
      {manifest.error && <ErrorState compact error={manifest.error} retry={manifest.reload} />}
      <ul className={styles.files} aria-label={t("Files")}>
        {files.map(([name, { size }]) => (
          <li key={name}>
            <Icon name="download" size={12} />
            <a href={artifactFile(workspaceId, output.digest, name)} download={name}>
              {name}
            </a>
            <span className="muted">{formatBytes(size)}</span>
          </li>
        ))}
      </ul>
      <code className={styles.digest} title={output.digest}>
        {output.digest.slice(0, 19)}…
      </code>
      {registering && (
        <RegisterDialog
          projectId={run.project}
          source={{ run: run.id, block, port }}
          name={run.name || run.document.name}
          onClose={() => setRegistering(false)}
          onRegistered={(model) => window.location.assign(urls.model(run.project, model.id))}
        />
      )}
    </article>
  );
}

interface PreviewProps {
  workspaceId: string;
  output: OutputJson;
  label: string;
  /** The artifact keeps samples for the cells of its matrix. */
  hasSamples: boolean;
}

function OutputPreview({ workspaceId, output, label, hasSamples }: PreviewProps) {
  const { data, error, reload } = useLoad<Preview>(artifactFile(workspaceId, output.digest, "preview.json"));
  if (error) {
    return <ErrorState compact error={error} retry={reload} />;
  }
  if (!data) {
    return <LoadingState compact />;
  }
  if (data.kind === "figure") {
    return (
      <Figure workspaceId={workspaceId} digest={output.digest} preview={data} label={label} hasSamples={hasSamples} />
    );
  }
  return <PreviewView preview={data} label={label} />;
}

function StoredFigure({ workspaceId, output, label, hasSamples }: PreviewProps) {
  const { data, error, reload } = useLoad<Extract<Preview, { kind: "figure" }>["figure"]>(
    artifactFile(workspaceId, output.digest, "figure.json"),
  );
  if (error) {
    return <ErrorState compact error={error} retry={reload} />;
  }
  return data ? (
    <Figure
      workspaceId={workspaceId}
      digest={output.digest}
      preview={{ kind: "figure", figure: data }}
      label={label}
      hasSamples={hasSamples}
    />
  ) : (
    <LoadingState compact />
  );
}

interface FigureProps {
  workspaceId: string;
  digest: string;
  preview: Extract<Preview, { kind: "figure" }>;
  label: string;
  hasSamples: boolean;
}

/** A figure; a click on a cell of a confusion matrix shows the samples that fell into it. */
function Figure({ workspaceId, digest, preview, label, hasSamples }: FigureProps) {
  const [cell, setCell] = useState<Cell | null>(null);
  const isMatrix = hasSamples && preview.figure.data.some((trace) => trace.type === "heatmap");
  const open = (point: FigurePoint) => setCell({ label: String(point.y), predicted: String(point.x) });
  return (
    <>
      <PlotlyFigure figure={preview.figure} label={label} height={380} onPoint={isMatrix ? open : undefined} />
      {isMatrix && <p className="muted small">{t("Click a cell to see its samples.")}</p>}
      {cell && <SamplesDialog workspaceId={workspaceId} digest={digest} cell={cell} onClose={() => setCell(null)} />}
    </>
  );
}

const KINDS: Record<string, string> = {
  images: msg("Images"),
  table: msg("Table"),
  dataset: msg("Dataset"),
  model: msg("Model"),
  metrics: msg("Metrics"),
  figure: msg("Figure"),
  front: msg("Pareto front"),
  predictions: msg("Predictions"),
  file: msg("File"),
};

export function kindLabel(kind: string): string {
  return KINDS[kind] ?? kind;
}
