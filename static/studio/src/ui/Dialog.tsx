/**
 * Modal dialogs on the browser's own `<dialog>`: it traps the focus, closes on Escape and gives the focus back.
 */
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { t } from "../i18n";
import { ApiError } from "../lib/api";
import { Button, IconButton } from "./Button";
import { Notice } from "./states";

export interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  footer?: ReactNode;
  wide?: boolean;
}

export function Dialog({ title, onClose, children, footer, wide }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) {
      dialog.showModal();
      dialog.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    }
    return () => dialog?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a modal dialog without our help
    <dialog
      ref={ref}
      className={`dialog ${wide ? "dialog-wide" : ""}`}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === ref.current) {
          onClose();
        }
      }}
    >
      <div className="dialog-head">
        <h2 id={titleId}>{title}</h2>
        <IconButton icon="close" label={t("Close")} className="push" onClick={onClose} />
      </div>
      <div className="dialog-body">{children}</div>
      {footer && <div className="dialog-foot">{footer}</div>}
    </dialog>
  );
}

export interface FormDialogProps {
  title: string;
  action: string;
  danger?: boolean;
  wide?: boolean;
  disabled?: boolean;
  onSubmit: () => Promise<void> | void;
  onClose: () => void;
  children: ReactNode;
}

/** A dialog with one action; an error of the action is shown inside and the input stays. */
export function FormDialog({ title, action, danger, wide, disabled, onSubmit, onClose, children }: FormDialogProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | Error | null>(null);
  const formId = useId();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await onSubmit();
    } catch (reason) {
      setError(reason instanceof Error ? reason : new Error(String(reason)));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={title}
      onClose={onClose}
      wide={wide}
      footer={
        <>
          <Button onClick={onClose}>{t("Cancel")}</Button>
          <Button type="submit" form={formId} variant={danger ? "danger" : "primary"} busy={busy} disabled={disabled}>
            {action}
          </Button>
        </>
      }
    >
      <form id={formId} className="stack" onSubmit={submit}>
        {children}
        {error && (
          <Notice tone="danger">
            {error.message}
            {error instanceof ApiError && error.hint && <div className="muted">{error.hint}</div>}
          </Notice>
        )}
      </form>
    </Dialog>
  );
}
