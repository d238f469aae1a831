/** Code of a block: a small editor with line numbers, where Tab indents (Escape, then Tab, leaves it). */
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { t } from "../../i18n";
import type { ControlProps } from "./controls";

export function CodeControl({ controlId, value, disabled, invalid, describedBy, onChange }: ControlProps) {
  const text = typeof value === "string" ? value : "";
  const [draft, setDraft] = useState(text);
  const leaving = useRef(false);
  const gutter = useRef<HTMLPreElement>(null);
  useEffect(() => setDraft(text), [text]);

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key === "Escape") {
      leaving.current = true;
      return;
    }
    if (event.key !== "Tab" || leaving.current || event.shiftKey) {
      if (event.key !== "Shift") leaving.current = false;
      return;
    }
    event.preventDefault();
    const area = event.currentTarget;
    area.setRangeText("    ", area.selectionStart, area.selectionEnd, "end");
    setDraft(area.value);
  };

  return (
    <div className="code-editor">
      <pre ref={gutter} aria-hidden="true">
        {draft
          .split("\n")
          .map((_line, index) => index + 1)
          .join("\n")}
      </pre>
      <textarea
        id={controlId}
        className="mono"
        wrap="off"
        spellCheck={false}
        autoCapitalize="off"
        rows={Math.min(24, Math.max(8, draft.split("\n").length + 1))}
        value={draft}
        disabled={disabled}
        aria-invalid={invalid || undefined}
        aria-describedby={describedBy}
        title={t("Tab indents. Escape, then Tab, leaves the editor.")}
        onKeyDown={onKeyDown}
        onScroll={(event) => {
          if (gutter.current) gutter.current.scrollTop = event.currentTarget.scrollTop;
        }}
        onChange={(event) => setDraft(event.target.value)}
        onBlur={() => {
          if (draft !== text) onChange(draft);
        }}
      />
    </div>
  );
}
