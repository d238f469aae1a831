/** Keys of the builder, and the clipboard. Keys typed into a field belong to the field. */
import { useReactFlow } from "@xyflow/react";
import { useEffect } from "react";
import {
  copyText,
  deleteSelection,
  duplicateSelection,
  onlyBlock,
  openSearch,
  pasteText,
  select,
  selectAll,
  toggleBypass,
} from "../store/commands";
import { type BuilderContextValue, useBuilder } from "../store/context";
import { redo, undo } from "../store/edits";
import { cancelRun, isActive, startRun } from "../store/runs";

type Keys = Readonly<Record<string, (context: BuilderContextValue) => void>>;

/** With Ctrl, or Cmd on a Mac. */
const WITH_COMMAND: Keys = {
  z: ({ store }) => undo(store),
  "shift+z": ({ store }) => redo(store),
  y: ({ store }) => redo(store),
  a: ({ store }) => selectAll(store),
  d: ({ store }) => duplicateSelection(store),
  b: ({ store }) => toggleBypass(store),
  enter: ({ store, saver }) => void startRun(store, saver),
};

const PLAIN: Keys = {
  "/": ({ store }) => openSearch(store, {}),
  "?": ({ store }) => store.setState({ dialog: "shortcuts" }),
  delete: ({ store }) => deleteSelection(store),
  backspace: ({ store }) => deleteSelection(store),
  escape: ({ store }) => select(store, {}),
  c: ({ store }) => {
    const block = onlyBlock(store.getState().selection);
    if (block) store.setState({ connectMenu: { block } });
  },
  o: ({ store }) => togglePanel({ store }, "outline"),
  p: ({ store }) => togglePanel({ store }, "problems"),
  i: ({ store }) => togglePanel({ store }, "inspector"),
  ".": ({ store }) => {
    if (isActive(store.getState().run)) void cancelRun(store);
  },
};

function togglePanel({ store }: Pick<BuilderContextValue, "store">, panel: "outline" | "problems" | "inspector"): void {
  store.setState({ panel: store.getState().panel === panel ? null : panel });
}

/** Keys belong to the field in focus, and to an open dialog or menu even when nothing in it has the focus. */
function isTyping(target: EventTarget | null): boolean {
  if (document.querySelector("dialog[open], [role=menu]")) return true;
  return target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null;
}

export function useShortcuts(): void {
  const context = useBuilder();
  const { fitView, screenToFlowPosition } = useReactFlow();

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event.target) || event.altKey || event.defaultPrevented) return;
      const command = event.ctrlKey || event.metaKey;
      const key = event.key.toLowerCase();
      const action = command ? WITH_COMMAND[event.shiftKey ? `shift+${key}` : key] : PLAIN[key];
      if (!command && key === "f") void fitView({ padding: 0.12, maxZoom: 1, duration: 200 });
      else if (action) action(context);
      else return;
      event.preventDefault();
    };
    const onCopy = (event: ClipboardEvent) => {
      if (isTyping(event.target) || String(window.getSelection() ?? "") !== "") return;
      const text = copyText(context.store);
      if (!text) return;
      event.clipboardData?.setData("text/plain", text);
      event.preventDefault();
      if (event.type === "cut") deleteSelection(context.store);
    };
    const onPaste = (event: ClipboardEvent) => {
      if (isTyping(event.target)) return;
      const centre = screenToFlowPosition({ x: window.innerWidth / 2 - 120, y: window.innerHeight / 2 - 80 });
      if (pasteText(context.store, event.clipboardData?.getData("text/plain") ?? "", [centre.x, centre.y]))
        event.preventDefault();
    };
    document.addEventListener("keydown", onKey);
    document.addEventListener("copy", onCopy);
    document.addEventListener("cut", onCopy);
    document.addEventListener("paste", onPaste);
    return () => {
      document.removeEventListener("keydown", onKey);
      document.removeEventListener("copy", onCopy);
      document.removeEventListener("cut", onCopy);
      document.removeEventListener("paste", onPaste);
    };
  }, [context, fitView, screenToFlowPosition]);
}
