/**
 * Everything the builder knows, in one store that components read narrowly.
 *
 * The document lives in `sync` and changes only through `edits.ts`; the rest is what is selected, open or running.
 */
import { createStore, type StoreApi } from "zustand/vanilla";
import type { PortRef } from "../../graph/connections";
import { emptyHistory, type History } from "../../graph/history";
import type { PlannedBlock } from "../../graph/runview";
import { type Batch, type SyncState, startSync } from "../../graph/sync";
import type { Catalog, Message, PipelineDocument, Point, Problem } from "../../graph/types";
import { mergeProblems, validateLight } from "../../graph/validate";
import type { Decision, Tail } from "../../lib/live";
import type { BlockRun, RunStatus } from "../../lib/runTypes";

export type SaveState = "saved" | "saving" | "offline";
export type SidePanel = "inspector" | "problems" | "outline" | null;
export type OpenDialog = "shortcuts" | "versions" | "import" | null;

export interface Selection {
  readonly blocks: ReadonlySet<string>;
  readonly notes: ReadonlySet<string>;
  /** Wires as `from>to`. */
  readonly wires: ReadonlySet<string>;
}

export interface Notice extends Message {
  readonly tone: "info" | "error" | "success";
  readonly id: number;
}

/** The add search: where the new block goes, and the port it has to fit. */
export interface AddSearch {
  readonly at: Point | null;
  readonly screen: Point | null;
  readonly port: PortRef | null;
}

export interface RunView {
  readonly id: string;
  readonly number: number;
  readonly status: RunStatus;
  readonly error: string | null;
  readonly blocks: Readonly<Record<string, BlockRun>>;
  readonly metrics: Readonly<Record<string, number>>;
  /** The newest event when the page read the run, and what was decided since. */
  readonly head: number;
  readonly decisions: readonly Decision[];
  /** Points that streamed in since the page opened. */
  readonly tails: Readonly<Record<string, Tail>>;
  /** Points from before, decimated by the server. */
  readonly curves: Readonly<Record<string, ArrayLike<number>>>;
  readonly queuePosition: number | null;
  readonly cancelRequested: boolean;
}

/** Blocks to bring into view (none: all); `ifHidden` leaves the view alone where the block can be seen. */
export interface FocusView {
  readonly blocks: readonly string[];
  readonly nonce: number;
  readonly ifHidden?: boolean;
}

export interface BuilderState {
  readonly pipelineId: string;
  readonly projectId: string;
  readonly workspaceId: string;
  readonly catalog: Catalog;
  readonly canEdit: boolean;
  readonly canRunCode: boolean;
  readonly sync: SyncState;
  readonly history: History;
  readonly save: SaveState;
  readonly serverProblems: readonly Problem[];
  readonly problems: readonly Problem[];
  readonly selection: Selection;
  readonly connecting: { readonly port: PortRef; readonly fits: ReadonlySet<string> } | null;
  readonly search: AddSearch | null;
  readonly connectMenu: { readonly block: string } | null;
  readonly panel: SidePanel;
  readonly paletteOpen: boolean;
  readonly dialog: OpenDialog;
  readonly focusField: { readonly block: string; readonly field: string | null; readonly nonce: number } | null;
  readonly focusView: FocusView | null;
  readonly notice: Notice | null;
  readonly run: RunView | null;
  readonly plan: Readonly<Record<string, PlannedBlock>>;
}

export type BuilderStore = StoreApi<BuilderState>;

export interface Opened {
  readonly pipelineId: string;
  readonly projectId: string;
  readonly workspaceId: string;
  readonly canEdit: boolean;
  readonly canRunCode: boolean;
  readonly catalog: Catalog;
  readonly document: PipelineDocument;
  readonly version: number;
  readonly problems: readonly Problem[];
  /** Edits of an earlier visit that the server has not confirmed. */
  readonly pending: readonly Batch[];
}

export const emptySelection: Selection = { blocks: new Set(), notes: new Set(), wires: new Set() };

export function createBuilderStore(opened: Opened): BuilderStore {
  const { document, version, pending, problems, ...fixed } = opened;
  return createStore<BuilderState>(() => ({
    ...fixed,
    sync: startSync(document, version, pending, opened.catalog),
    history: emptyHistory,
    save: pending.length > 0 ? "saving" : "saved",
    serverProblems: problems,
    problems,
    selection: emptySelection,
    connecting: null,
    search: null,
    connectMenu: null,
    panel: "inspector",
    paletteOpen: true,
    dialog: null,
    focusField: null,
    focusView: null,
    notice: null,
    run: null,
    plan: {},
  }));
}

export const documentOf = (state: BuilderState): PipelineDocument => state.sync.document;

/** The fields that follow from a new sync state. */
export function withSync(state: BuilderState, sync: SyncState, serverProblems = state.serverProblems) {
  const waiting = sync.pending.flatMap((batch) => batch.ops);
  const local = waiting.length > 0 ? validateLight(sync.document, state.catalog) : [];
  return { sync, serverProblems, problems: mergeProblems(sync.document, local, serverProblems, waiting) };
}

let notices = 0;

/** Tell the person something once, at the foot of the canvas. */
export function notify(store: BuilderStore, message: Message, tone: Notice["tone"] = "info"): void {
  notices += 1;
  store.setState({ notice: { ...message, tone, id: notices } });
}
