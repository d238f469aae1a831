/** Uploads under way: progress, cancel, and what went wrong. */
import { t } from "../../i18n";
import { ApiError } from "../../lib/api";
import { formatBytes } from "../../lib/format";
import { IconButton, Notice, Progress } from "../../ui";
import type { Uploads } from "./fileActions";

export function UploadList({ uploads }: { uploads: Uploads }) {
  if (uploads.list.length === 0) {
    return null;
  }
  return (
    <ul className="card card-body stack" style={{ listStyle: "none", margin: 0 }} aria-label={t("Uploads")}>
      {uploads.list.map((upload) => (
        <li key={upload.id} className="stack" style={{ gap: 6 }}>
          <div className="row">
            <b>{upload.name}</b>
            <span className="muted small">
              {t("{sent} of {total}", { sent: formatBytes(upload.sent), total: formatBytes(upload.total) })}
            </span>
            <span className="push">
              <IconButton
                icon="close"
                small
                label={upload.error ? t("Put away") : t("Cancel upload")}
                onClick={() => uploads.cancel(upload.id)}
              />
            </span>
          </div>
          {upload.error ? (
            <Notice tone="danger">
              {upload.error.message}
              {upload.error instanceof ApiError && upload.error.hint && (
                <div className="muted">{upload.error.hint}</div>
              )}
            </Notice>
          ) : (
            <Progress
              value={upload.total > 0 ? upload.sent / upload.total : null}
              label={t("Uploading {name}", { name: upload.name })}
            />
          )}
        </li>
      ))}
    </ul>
  );
}
