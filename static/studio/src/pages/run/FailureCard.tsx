/** A run that failed: which block, why in short, what to do, the traceback folded, the log there, the last good run. */
import { useState } from "react";
import { t, tError } from "../../i18n";
import { api, query } from "../../lib/api";
import type { Run, RunSummary } from "../../lib/runTypes";
import type { Items, StudioErrorJson } from "../../lib/types";
import { urls } from "../../lib/urls";
import { Button, Icon, useToast } from "../../ui";
import { titleOf } from "../shared/DocumentGraph";
import styles from "./run.module.css";

export interface FailureCardProps {
  run: Run;
  onShowLog: (block: string | null) => void;
}

/** The block that failed and its error; a failure outside of any block has none. */
export function failureOf(run: Run): { block: string | null; error: StudioErrorJson } | null {
  const failed = Object.entries(run.blocks).find(([, block]) => block.state === "failed");
  const error = failed?.[1].error ?? run.error;
  return error ? { block: failed?.[0] ?? error.block ?? null, error } : null;
}

export function FailureCard({ run, onShowLog }: FailureCardProps) {
  const failure = failureOf(run);
  if (run.status !== "failed" || !failure) {
    return null;
  }
  const { block, error } = failure;
  const hint = error.hint ? t(error.hint_template ?? error.hint, error.values ?? {}) : null;
  return (
    <section className={styles.failure} aria-label={t("Why the run failed")} role="alert">
      <Icon name="error" size={20} />
      <div className={styles.failureText}>
        <h2>
          {block ? t("{block} failed", { block: titleOf(run.document, block) }) : t("The run failed")}
          {error.field && <span className="chip">{error.field}</span>}
        </h2>
        <p>{tError(error)}</p>
        {hint && (
          <p className={styles.tip}>
            <b>{t("What to do")}</b> {hint}
          </p>
        )}
        {error.traceback && (
          <details>
            <summary>{t("Details for developers")}</summary>
            <pre className={styles.traceback}>{error.traceback}</pre>
          </details>
        )}
        <div className="row row-wrap">
          <Button small icon="list" onClick={() => onShowLog(block)}>
            {t("Show the log there")}
          </Button>
          <CompareWithGood run={run} />
        </div>
      </div>
    </section>
  );
}

function CompareWithGood({ run }: { run: Run }) {
  const toast = useToast();
  const [busy, setBusy] = useState(false);
  const open = async () => {
    setBusy(true);
    try {
      const path = `/projects/${run.project}/runs${query({ status: "succeeded", sort: "-created", limit: 50 })}`;
      const { items } = await api.get<Items<RunSummary>>(path);
      const good = items.find((one) => one.pipeline === run.pipeline && one.id !== run.id);
      if (good) {
        window.location.assign(urls.compare(run.project, [good.id, run.id]));
      } else {
        toast.show(t("This pipeline has no run yet that succeeded."));
      }
    } catch (reason) {
      toast.error(reason);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Button small icon="compare" busy={busy} onClick={() => void open()}>
      {t("Compare with the last good run")}
    </Button>
  );
}
