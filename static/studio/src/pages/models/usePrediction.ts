/** Asks a model about a file or a text: sends it, waits for the job on the worker, keeps what came back. */
import { useRef, useState } from "react";
import { t, tError } from "../../i18n";
import { api, uploadFile } from "../../lib/api";
import type { Preview, StudioErrorJson } from "../../lib/types";

export interface Chance {
  label: string;
  probability: number;
}

export interface Prediction {
  name: string;
  label?: string;
  probability?: number;
  top?: Chance[];
  value?: number;
  /** What a language model was given, and what it wrote behind it; or a text with its masks filled. */
  prompt?: string;
  text?: string;
  masks?: Chance[][];
}

export interface PredictResult {
  task?: string;
  predictions: Prediction[];
  preview?: Preview | null;
  total: number;
}

interface Job {
  status: "queued" | "running" | "done" | "failed";
  result?: PredictResult | null;
  error?: StudioErrorJson | null;
}

export type PredictionState =
  | { step: "idle" }
  | { step: "sending"; share: number }
  | { step: "working" }
  | { step: "failed"; message: string; hint?: string }
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

function failure(error: StudioErrorJson | null | undefined): PredictionState {
  const hint = error?.hint ? t(error.hint_template ?? error.hint, error.values) : undefined;
  return { step: "failed", message: error ? tError(error) : t("The prediction failed."), hint };
}

export interface Predicting {
  state: PredictionState;
  run: (file: File, options?: Record<string, number>) => Promise<void>;
  stop: () => void;
}

export function usePrediction(modelId: string): Predicting {
  const [state, setState] = useState<PredictionState>({ step: "idle" });
  const turn = useRef(0);

  const run = async (file: File, options: Record<string, number> = {}) => {
    turn.current += 1;
    const mine = turn.current;
    const alive = () => turn.current === mine;
    setState({ step: "sending", share: 0 });
    try {
      const upload = uploadFile<{ job: string }>(
        `/models/${modelId}/predict`,
        file,
        { options: JSON.stringify(options) },
        (sent, total) => alive() && setState({ step: "sending", share: total > 0 ? sent / total : 0 }),
      );
      const { job } = await upload.done;
      if (alive()) {
        setState({ step: "working" });
      }
      const answer = await waitFor(job, alive);
      if (answer && alive()) {
        setState(
          answer.result && answer.status === "done" ? { step: "done", result: answer.result } : failure(answer.error),
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

  return { state, run, stop };
}
