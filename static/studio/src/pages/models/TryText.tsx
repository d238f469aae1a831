/** Try a model of texts: type, and see its classes, what it writes, or the words behind the masks. */
import { useState } from "react";
import { t } from "../../i18n";
import { Button, DropZone, Field, Icon, Input, Textarea } from "../../ui";
import styles from "./models.module.css";
import { PredictionView } from "./PredictResult";
import { usePrediction } from "./usePrediction";

const FILE_NAME = "text.txt";

export interface TryTextProps {
  modelId: string;
  task: string;
}

export function TryText({ modelId, task }: TryTextProps) {
  const predicting = usePrediction(modelId);
  const [text, setText] = useState("");
  const [options, setOptions] = useState({ max_tokens: 100, temperature: 0.8, seed: 0 });
  const writes = task === "language_model";
  const fills = task === "masked_lm";
  const busy = predicting.state.step === "sending" || predicting.state.step === "working";
  const send = () => {
    if (text.trim() && !busy) {
      void predicting.run(new File([text], FILE_NAME, { type: "text/plain" }), writes ? options : {});
    }
  };
  return (
    <>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <Field
          label={writes ? t("Prompt") : t("Text")}
          help={
            writes
              ? t("The model goes on where this text ends.")
              : fills
                ? t("Write [MASK] where a word is to be guessed.")
                : t("Each line is one sample.")
          }
        >
          <Textarea
            rows={5}
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
                event.preventDefault();
                send();
              }
            }}
          />
        </Field>
        {writes && <Writing options={options} onChange={setOptions} />}
        <div className="row">
          <Button type="submit" variant="primary" icon="play" busy={busy} disabled={!text.trim()}>
            {writes ? t("Generate") : fills ? t("Guess the words") : t("Predict")}
          </Button>
          <span className="muted small">{t("or Ctrl+Enter")}</span>
        </div>
      </form>
      {!writes && !fills && (
        <DropZone
          label={t("Choose a file to predict")}
          accept=".txt,.csv,.jsonl,.json,.parquet"
          onFiles={([file]) => void predicting.run(file!)}
        >
          <Icon name="file" size={22} />
          <b>{t("Drop a file of texts here, or click to choose")}</b>
          <span className="small">{t("Plain text with one sample a line, CSV, JSON lines or Parquet")}</span>
        </DropZone>
      )}
      <PredictionView predicting={predicting} />
    </>
  );
}

interface WritingOptions {
  max_tokens: number;
  temperature: number;
  seed: number;
}

function Writing({ options, onChange }: { options: WritingOptions; onChange: (options: WritingOptions) => void }) {
  const number = (name: keyof WritingOptions, min: number, max: number, step: number) => (
    <Input
      type="number"
      min={min}
      max={max}
      step={step}
      value={options[name]}
      onChange={(event) => onChange({ ...options, [name]: Number(event.target.value) })}
    />
  );
  return (
    <div className={styles.writing}>
      <Field label={t("Tokens")}>{number("max_tokens", 1, 512, 1)}</Field>
      <Field label={t("Temperature")}>{number("temperature", 0, 10, 0.1)}</Field>
      <Field label={t("Seed")}>{number("seed", 0, 2 ** 31, 1)}</Field>
    </div>
  );
}
