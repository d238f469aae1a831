/** A text that is edited in place: Enter or leaving the field takes it, Escape gives up. */
import { useEffect, useState } from "react";

interface EditableTextProps {
  readonly value: string;
  readonly label: string;
  readonly disabled?: boolean;
  readonly mono?: boolean;
  readonly className?: string;
  readonly onChange: (text: string) => void;
}

export function EditableText({ value, label, disabled, mono, className = "", onChange }: EditableTextProps) {
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  return (
    <input
      type="text"
      className={`editable ${mono ? "mono" : ""} ${className}`}
      aria-label={label}
      title={label}
      value={draft}
      size={Math.max(4, Math.min(32, draft.length + 1))}
      maxLength={200}
      disabled={disabled}
      spellCheck={false}
      onChange={(event) => setDraft(event.target.value)}
      onBlur={() => {
        const text = draft.trim();
        if (text !== value) onChange(text);
        setDraft(value);
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter") event.currentTarget.blur();
        if (event.key === "Escape") {
          event.stopPropagation();
          setDraft(value);
          const field = event.currentTarget;
          requestAnimationFrame(() => field.blur());
        }
      }}
    />
  );
}
