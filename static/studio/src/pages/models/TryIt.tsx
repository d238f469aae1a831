/** Try a model: drop a file, see what it predicts. The work is a job on the worker. */
import { useRef, useState } from "react";
import { PreviewView } from "../../charts";
import { t, tError, tn } from "../../i18n";
import { api, uploadFile } from "../../lib/api";
import { formatMetric, formatPercent } from "../../lib/format";
import type { Preview, StudioErrorJson } from "../../lib/types";
import { Button, DropZone, Icon, Notice, Progress } from "../../ui";
import styles from "./models.module.css";

interface Prediction {
  name: string;
  label?: string;
  probability?: number;
  top?: { label: string; probability: number }[];
  value?: number;
}

interface PredictResult {
  predictions: Prediction[];
  preview?: Preview | null;
  total: number;
}

interface Job {
  status: "queued" | "running" | "done" | "failed";
  result?: PredictResult | null;
  error?: StudioErrorJson | null;
}

type State =
  | { step: "idle" }
  | { step: "sending"; share: number }
  | { step: "working" }
  | { step: "failed"; message: string }
  | { step: "done"; result: PredictResult };

const POLL_MS = 400;

async function waitFor(job: string, alive: () => boolean): Promise<Job | null> {
  while (alive()) {
    const answer = await api.get<Job>(`/jobs/${job}`);
    if (answer.status === "done" || answer.status === "failed") {
      return answer;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return null;
}

export interface TryItProps {
  modelId: string;
  inputKind: string;
}

export function TryIt({ modelId, inputKind }: TryItProps) {
  const [state, setState] = useState<State>({ step: "idle" });
  const [picture, setPicture] = useState<string | null>(null);
  const turn = useRef(0);
  const images = inputKind === "images";

  const run = async (file: File) => {
    turn.current += 1;
    const mine = turn.current;
    const alive = () => turn.current === mine;
    setPicture((before) => {
      if (before) {
        URL.revokeObjectURL(before);
      }
      return file.type.startsWith("image/") ? URL.createObjectURL(file) : null;
    });
    setState({ step: "sending", share: 0 });
    try {
      const upload = uploadFile<{ job: string | { id: string } }>(
        `/models/${modelId}/predict`,
        file,
        {},
        (sent, total) => setState({ step: "sending", share: total > 0 ? sent / total : 0 }),
      );
      const { job } = await upload.done;
      setState({ step: "working" });
      const answer = await waitFor(typeof job === "string" ? job : job.id, alive);
      if (answer && alive()) {
        setState(
          answer.result && answer.status === "done"
            ? { step: "done", result: answer.result }
            : { step: "failed", message: answer.error ? tError(answer.error) : t("The prediction failed.") },
        );
      }
    } catch (reason) {
      if (alive()) {
        setState({ step: "failed", message: reason instanceof Error ? reason.message : String(reason) });
      }
    }
  };

  const stop = () => {
    turn.current += 1;
    setState({ step: "idle" });
  };

  return (
    <section className="card" aria-label={t("Try it")}>
      <div className="card-head">
        <h2>{t("Try it")}</h2>
      </div>
      <div className="card-body stack">
        <DropZone
          label={t("Choose a file to predict")}
          accept={images ? "image/*,.zip" : ".csv,.parquet,.xlsx,.json"}
          onFiles={([file]) => void run(file!)}
        >
          <Icon name={images ? "image" : "table"} size={22} />
          <b>{images ? t("Drop an image here, or click to choose") : t("Drop a table here, or click to choose")}</b>
          <span className="small">
            {images ? t("PNG, JPEG, or a zip of images") : t("CSV, Parquet or Excel with the same columns")}
          </span>
        </DropZone>
        {(state.step === "sending" || state.step === "working") && (
          <div className="row">
            <div style={{ flex: 1 }}>
              <Progress value={state.step === "sending" ? state.share : null} label={t("Predicting…")} />
            </div>
            <Button small onClick={stop}>
              {t("Cancel")}
            </Button>
          </div>
        )}
        {state.step === "failed" && <Notice tone="danger">{state.message}</Notice>}
        {state.step === "done" && <Result result={state.result} picture={picture} />}
      </div>
    </section>
  );
}

function Result({ result, picture }: { result: PredictResult; picture: string | null }) {
  const first = result.predictions[0];
  if (result.predictions.length === 1 && first) {
    return (
      <div className={styles.single} aria-live="polite">
        {picture && <img src={picture} alt={t("Your image")} />}
        <div className="stack" style={{ gap: 8 }}>
          <p className={styles.answer}>
            {first.label ?? formatMetric(first.value)}
            {first.probability !== undefined && <small>{formatPercent(first.probability)}</small>}
          </p>
          {first.top && <Bars top={first.top} />}
        </div>
      </div>
    );
  }
  return (
    <div className="stack" aria-live="polite">
      <p className="muted">{tn("{count} prediction", "{count} predictions", result.total)}</p>
      {result.preview ? (
        <PreviewView preview={result.preview} label={t("Predictions")} />
      ) : (
        <PreviewView
          label={t("Predictions")}
          preview={{
            kind: "table",
            columns: [t("Sample"), t("Prediction"), t("Probability")],
            rows: result.predictions.map((one) => [one.name, one.label ?? one.value ?? null, one.probability ?? null]),
            total: result.total,
          }}
        />
      )}
    </div>
  );
}

function Bars({ top }: { top: { label: string; probability: number }[] }) {
  return (
    <ul className={styles.bars}>
      {top.map(({ label, probability }) => (
        <li key={label}>
          <span>{label}</span>
          <i>
            <b style={{ width: `${probability * 100}%` }} />
          </i>
          <span className="numeric">{formatPercent(probability)}</span>
        </li>
      ))}
    </ul>
  );
}
