/** Import: choose a file, or paste pipeline JSON. The same as dropping it on the canvas. */
import { useState } from "react";
import { t } from "../../i18n";
import { DropZone, FormDialog, Textarea } from "../../ui";
import { readText } from "../files";
import { openFile } from "../hooks/useDropFiles";
import { replaceDocument } from "../store/commands";
import { useBuilder } from "../store/context";
import { tMessage } from "../texts";

export function ImportDialog({ onClose }: { onClose: () => void }) {
  const { store } = useBuilder();
  const [text, setText] = useState("");
  const open = () => {
    const parsed = readText(text, t("The text"));
    if (!parsed.ok) throw new Error(tMessage(parsed.problem));
    if (replaceDocument(store, parsed.document)) onClose();
  };
  return (
    <FormDialog
      title={t("Import a pipeline")}
      action={t("Import")}
      disabled={!text.trim()}
      onClose={onClose}
      onSubmit={open}
    >
      <DropZone
        label={t("Drop a pipeline, a finished model or a figure, or choose a file")}
        accept=".json,.zip,.deepseek,application/json,application/zip"
        onFiles={(files: File[]) => {
          onClose();
          if (files[0]) void openFile(store, files[0]);
        }}
      >
        {t("Drop a pipeline, a finished model or a figure, or choose a file")}
      </DropZone>
      <Textarea
        className="mono"
        rows={7}
        aria-label={t("Pipeline JSON")}
        placeholder={t("or paste pipeline JSON here")}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <p className="muted small">{t("The import takes the place of what is on the canvas. Undo brings it back.")}</p>
    </FormDialog>
  );
}
