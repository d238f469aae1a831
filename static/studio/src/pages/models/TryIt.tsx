/** Try a model: drop a file or type a text, see what it predicts. The work is a job on the worker. */
import { useState } from "react";
import { t } from "../../i18n";
import { DropZone, Icon } from "../../ui";
import { PredictionView } from "./PredictResult";
import { TryText } from "./TryText";
import { usePrediction } from "./usePrediction";

export interface TryItProps {
  modelId: string;
  inputKind: string;
  task: string;
}

export function TryIt({ modelId, inputKind, task }: TryItProps) {
  return (
    <section className="card" aria-label={t("Try it")}>
      <div className="card-head">
        <h2>{t("Try it")}</h2>
      </div>
      <div className="card-body stack">
        {inputKind === "tokens" ? (
          <TryText modelId={modelId} task={task} />
        ) : (
          <TryFile modelId={modelId} images={inputKind === "images"} />
        )}
      </div>
    </section>
  );
}

function TryFile({ modelId, images }: { modelId: string; images: boolean }) {
  const predicting = usePrediction(modelId);
  const [picture, setPicture] = useState<string | null>(null);
  const run = (file: File) => {
    setPicture((before) => {
      if (before) {
        URL.revokeObjectURL(before);
      }
      return file.type.startsWith("image/") ? URL.createObjectURL(file) : null;
    });
    void predicting.run(file);
  };
  return (
    <>
      <DropZone
        label={t("Choose a file to predict")}
        accept={images ? "image/*,.zip" : ".csv,.parquet,.xlsx,.json"}
        onFiles={([file]) => run(file!)}
      >
        <Icon name={images ? "image" : "table"} size={22} />
        <b>{images ? t("Drop an image here, or click to choose") : t("Drop a table here, or click to choose")}</b>
        <span className="small">
          {images ? t("PNG, JPEG, or a zip of images") : t("CSV, Parquet or Excel with the same columns")}
        </span>
      </DropZone>
      <PredictionView predicting={predicting} picture={picture} />
    </>
  );
}
