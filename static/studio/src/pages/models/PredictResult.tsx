/** What a model answered: one prediction with its chances, a text it wrote, words behind masks, or a table. */
import { PreviewView } from "../../charts";
import { t, tn } from "../../i18n";
import { formatMetric, formatPercent } from "../../lib/format";
import { Button, Notice, Progress } from "../../ui";
import styles from "./models.module.css";
import type { Chance, Predicting, PredictResult } from "./usePrediction";

/** The state of a prediction under its form: progress with cancel, the error, or the answer. */
export function PredictionView({ predicting, picture = null }: { predicting: Predicting; picture?: string | null }) {
  const { state, stop } = predicting;
  switch (state.step) {
    case "sending":
    case "working":
      return (
        <div className="row">
          <div style={{ flex: 1 }}>
            <Progress value={state.step === "sending" ? state.share : null} label={t("Predicting…")} />
          </div>
          <Button small onClick={stop}>
            {t("Cancel")}
          </Button>
        </div>
      );
    case "failed":
      return (
        <Notice tone="danger">
          {state.message}
          {state.hint && <p className="small">{state.hint}</p>}
        </Notice>
      );
    case "done":
      return <Result result={state.result} picture={picture} />;
    default:
      return null;
  }
}

function Result({ result, picture }: { result: PredictResult; picture: string | null }) {
  const first = result.predictions[0];
  if (first?.masks) {
    return <Filled text={first.text ?? ""} masks={first.masks} />;
  }
  if (first?.text !== undefined) {
    return (
      <p className={styles.written} aria-live="polite" translate="no">
        <span className="muted">{first.prompt}</span>
        {first.text}
      </p>
    );
  }
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

function Filled({ text, masks }: { text: string; masks: Chance[][] }) {
  return (
    <div className="stack" aria-live="polite">
      <p className={styles.written} translate="no">
        {text}
      </p>
      {masks.map((chances, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the masks of one answer never change places
        <section key={index} className="stack" style={{ gap: 6 }}>
          <h3 className="small">{t("Mask {number}", { number: index + 1 })}</h3>
          <Bars top={chances} />
        </section>
      ))}
    </div>
  );
}

function Bars({ top }: { top: Chance[] }) {
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
