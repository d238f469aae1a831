/** What an uploaded file holds: problems, preview, profile, columns or classes. */
import { PlotlyFigure, PreviewView } from "../../charts";
import { t, tError, tn } from "../../i18n";
import type { DataFile } from "../../lib/types";
import { Notice } from "../../ui";
import { findingsOf } from "./useDataFile";

const MOST_NAMED = 8;

export function FileProblems({ file }: { file: DataFile }) {
  const { problems, skipped } = findingsOf(file);
  return (
    <>
      {file.status === "failed" && file.error && (
        <Notice tone="danger">
          {tError(file.error)}
          {file.error.hint && (
            <div className="muted">{t(file.error.hint_template ?? file.error.hint, file.error.values ?? {})}</div>
          )}
        </Notice>
      )}
      {problems.map((problem) => (
        <Notice
          key={problem.message}
          tone={problem.severity === "error" ? "danger" : problem.severity === "warning" ? "warn" : "neutral"}
        >
          {tError(problem)}
          {problem.hint && (
            <div className="muted">{t(problem.hint_template ?? problem.hint, problem.values ?? {})}</div>
          )}
        </Notice>
      ))}
      {skipped.length > 0 && (
        <Notice tone="warn">
          {tn("{count} file was left out:", "{count} files were left out:", skipped.length)}
          <ul style={{ margin: "4px 0 0", paddingLeft: 18 }}>
            {skipped.slice(0, MOST_NAMED).map((one) => (
              <li key={one.name}>
                <code>{one.name}</code> {t(one.why)}
              </li>
            ))}
          </ul>
          {skipped.length > MOST_NAMED && t("and {count} more", { count: skipped.length - MOST_NAMED })}
        </Notice>
      )}
    </>
  );
}

export function FilePreview({ file }: { file: DataFile }) {
  return (
    <section className="card" aria-label={t("Preview")}>
      <div className="card-head">
        <h2>{t("Preview")}</h2>
      </div>
      <div className="card-body">
        {file.preview ? (
          <PreviewView preview={file.preview} label={file.name} />
        ) : (
          <p className="muted">{t("There is nothing to preview.")}</p>
        )}
      </div>
    </section>
  );
}

export function FileProfile({ file }: { file: DataFile }) {
  if (!file.profile) {
    return null;
  }
  const height = Number((file.profile.layout as { height?: number } | undefined)?.height) || 420;
  return (
    <section className="card" aria-label={t("Overview")}>
      <div className="card-head">
        <h2>{t("Overview")}</h2>
      </div>
      <div className="card-body">
        <PlotlyFigure figure={file.profile} label={t("Overview of {name}", { name: file.name })} height={height} />
      </div>
    </section>
  );
}
