/** Files and text dropped on the canvas: a pipeline in them is opened. */
import { useCallback } from "react";
import { message, type Point } from "../../graph/types";
import { readPipelineFile } from "../files";
import { pasteText, replaceDocument } from "../store/commands";
import { useBuilder } from "../store/context";
import { type BuilderStore, documentOf, notify } from "../store/state";

/** Open the pipeline that a file carries, in the place of this one; undo brings this one back. */
export async function openFile(store: BuilderStore, file: File): Promise<void> {
  const parsed = await readPipelineFile(file);
  if (!parsed.ok) {
    notify(store, parsed.problem, "error");
    return;
  }
  const wasEmpty = Object.keys(documentOf(store.getState()).blocks).length === 0;
  if (replaceDocument(store, parsed.document))
    notify(
      store,
      wasEmpty
        ? message("The pipeline of {file} is open.", { file: file.name })
        : message("The pipeline of {file} is open. Undo brings back the one before.", { file: file.name }),
      "success",
    );
}

export function usePasteAndDrop() {
  const { store } = useBuilder();
  return useCallback(
    (data: DataTransfer, at: Point) => {
      const [file] = data.files;
      if (file) void openFile(store, file);
      else if (!pasteText(store, data.getData("text/plain"), at))
        notify(store, message("Drop a pipeline, a finished model or a figure here."), "info");
    },
    [store],
  );
}
