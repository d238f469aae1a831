/** How nothing, waiting, failure and progress look; the same on every page. */
import type { ReactNode } from "react";
import { t } from "../i18n";
import { ApiError } from "../lib/api";
import { formatPercent } from "../lib/format";
import type { BlockState, RunStatus } from "../lib/runTypes";
import { Button } from "./Button";
import { Icon, type IconName } from "./Icon";

export interface EmptyStateProps {
  icon?: IconName;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
  compact?: boolean;
}

export function EmptyState({ icon = "info", title, children, actions, compact }: EmptyStateProps) {
  return (
    <div className={`state ${compact ? "state-compact" : ""}`}>
      <Icon name={icon} size={compact ? 20 : 28} />
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {actions && <div className="row row-wrap">{actions}</div>}
    </div>
  );
}

export function LoadingState({ label, compact }: { label?: string; compact?: boolean }) {
  return (
    <div className={`state ${compact ? "state-compact" : ""}`} role="status">
      <Icon name="spinner" size={20} />
      <p>{label ?? t("Loading…")}</p>
    </div>
  );
}

export function ErrorState({ error, retry, compact }: { error: Error; retry?: () => void; compact?: boolean }) {
  const hint = error instanceof ApiError ? error.hint : null;
  return (
    <div className={`state ${compact ? "state-compact" : ""}`} role="alert">
      <Icon name="error" size={compact ? 20 : 28} />
      <h2>{t("This could not be loaded")}</h2>
      <p>{error.message}</p>
      {hint && <p>{hint}</p>}
      {retry && (
        <div className="row">
          <Button icon="refresh" onClick={retry}>
            {t("Try again")}
          </Button>
        </div>
      )}
    </div>
  );
}

export type Tone = "neutral" | "ok" | "warn" | "danger" | "accent";

export function Notice({ tone = "neutral", children }: { tone?: Tone; children: ReactNode }) {
  const icon = tone === "danger" ? "error" : tone === "warn" ? "warning" : tone === "ok" ? "check" : "info";
  return (
    <div className="notice" data-tone={tone} role={tone === "danger" ? "alert" : undefined}>
      <Icon name={icon} />
      <div>{children}</div>
    </div>
  );
}

export function Badge({ tone = "neutral", children, title }: { tone?: Tone; children: ReactNode; title?: string }) {
  return (
    <span className="badge" data-tone={tone} title={title}>
      {children}
    </span>
  );
}

const STATUS: Record<RunStatus | BlockState, { tone: Tone; icon: IconName; label: () => string }> = {
  queued: { tone: "neutral", icon: "clock", label: () => t("Queued") },
  waiting: { tone: "neutral", icon: "clock", label: () => t("Waiting") },
  running: { tone: "accent", icon: "spinner", label: () => t("Running") },
  succeeded: { tone: "ok", icon: "check", label: () => t("Succeeded") },
  done: { tone: "ok", icon: "check", label: () => t("Done") },
  cached: { tone: "ok", icon: "copy", label: () => t("Cached") },
  failed: { tone: "danger", icon: "error", label: () => t("Failed") },
  cancelled: { tone: "warn", icon: "stop", label: () => t("Cancelled") },
  skipped: { tone: "neutral", icon: "skip", label: () => t("Skipped") },
};

export function statusLabel(status: RunStatus | BlockState): string {
  return STATUS[status]?.label() ?? status;
}

export function StatusBadge({ status, children }: { status: RunStatus | BlockState; children?: ReactNode }) {
  const look = STATUS[status] ?? STATUS.queued;
  return (
    <span className="badge" data-tone={look.tone}>
      <Icon name={look.icon} size={12} />
      {look.label()}
      {children}
    </span>
  );
}

/** A bar from 0 to 1; without a value it says only that something goes on. */
export function Progress({ value, label }: { value: number | null; label: string }) {
  const percent = value === null ? undefined : Math.round(Math.max(0, Math.min(1, value)) * 100);
  return (
    <div
      className="progress"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      title={value === null ? label : `${label} ${formatPercent(value, 0)}`}
    >
      <div style={{ width: `${percent ?? 100}%`, opacity: percent === undefined ? 0.4 : 1 }} />
    </div>
  );
}
