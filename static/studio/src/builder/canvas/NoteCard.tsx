/** A note on the canvas: text that belongs to the pipeline but runs nothing. */
import { type NodeProps, NodeResizer } from "@xyflow/react";
import { memo, useContext, useEffect, useRef, useState } from "react";
import { t } from "../../i18n";
import { useBuilder, useBuilderState } from "../store/context";
import { edit } from "../store/edits";
import { FarContext } from "./BlockCard";
import { type FlowNode, NOTE_PREFIX } from "./useFlowNodes";

export const NoteCard = memo(function NoteCard({ id, selected }: NodeProps<FlowNode>) {
  const far = useContext(FarContext);
  return far ? null : <NoteBody id={id.slice(NOTE_PREFIX.length)} selected={selected} />;
});

function NoteBody({ id, selected }: { id: string; selected: boolean | undefined }) {
  const { store } = useBuilder();
  const note = useBuilderState((state) => state.sync.document.layout.notes.find((other) => other.id === id));
  const canEdit = useBuilderState((state) => state.canEdit);
  const [draft, setDraft] = useState<string | null>(note?.text === "" ? "" : null);
  const area = useRef<HTMLTextAreaElement>(null);
  const editing = draft !== null && canEdit;

  useEffect(() => {
    if (editing) area.current?.focus();
  }, [editing]);

  if (!note) return null;
  const finish = () => {
    if (draft !== null && draft !== note.text) edit(store, [{ op: "set_note", ...note, text: draft }]);
    setDraft(null);
  };
  return (
    <div className="note-card" data-selected={selected || undefined}>
      <NodeResizer isVisible={selected === true && canEdit} minWidth={128} minHeight={56} />
      {editing ? (
        <textarea
          ref={area}
          className="nodrag nowheel"
          aria-label={t("Note")}
          placeholder={t("Write a note…")}
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
          onBlur={finish}
          onKeyDown={(event) => {
            event.stopPropagation();
            if (event.key === "Escape") area.current?.blur();
          }}
        />
      ) : (
        // biome-ignore lint/a11y/noStaticElementInteractions: the outline offers the same with the keyboard
        <div className="note-text" onDoubleClick={() => setDraft(note.text)} title={t("Double-click to edit")}>
          {note.text || <span className="muted">{t("Empty note")}</span>}
        </div>
      )}
    </div>
  );
}
