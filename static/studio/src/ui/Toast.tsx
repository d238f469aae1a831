/** Short messages in a corner. Errors stay until closed; the rest leave after six seconds. */
import { createContext, type ReactNode, useCallback, useContext, useMemo, useRef, useState } from "react";
import { t } from "../i18n";
import { IconButton } from "./Button";

type ToastTone = "neutral" | "ok" | "danger";

interface ToastMessage {
  id: number;
  text: ReactNode;
  tone: ToastTone;
}

export interface Toasts {
  show: (text: ReactNode, tone?: ToastTone) => void;
  error: (reason: unknown) => void;
}

const ToastContext = createContext<Toasts>({ show: () => {}, error: () => {} });
const STAY_MS = 6000;

export function ToastProvider({ children }: { children: ReactNode }) {
  const [messages, setMessages] = useState<ToastMessage[]>([]);
  const counter = useRef(0);
  const remove = useCallback((id: number) => setMessages((all) => all.filter((one) => one.id !== id)), []);
  const show = useCallback(
    (text: ReactNode, tone: ToastTone = "neutral") => {
      counter.current += 1;
      const id = counter.current;
      setMessages((all) => [...all.slice(-3), { id, text, tone }]);
      if (tone !== "danger") {
        setTimeout(() => remove(id), STAY_MS);
      }
    },
    [remove],
  );
  const toasts = useMemo<Toasts>(
    () => ({ show, error: (reason) => show(reason instanceof Error ? reason.message : String(reason), "danger") }),
    [show],
  );
  return (
    <ToastContext value={toasts}>
      {children}
      <div className="toasts" aria-live="polite">
        {messages.map((message) => (
          <div key={message.id} className="toast" data-tone={message.tone}>
            <div>{message.text}</div>
            <IconButton icon="close" small label={t("Close")} onClick={() => remove(message.id)} />
          </div>
        ))}
      </div>
    </ToastContext>
  );
}

export function useToast(): Toasts {
  return useContext(ToastContext);
}
