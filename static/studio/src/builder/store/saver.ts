/**
 * Saves edits: one request at a time, within a second, again and again until the server confirms.
 *
 * `Saver` is the only writer of `sync` besides `edits.ts`. A conflict (409) brings the edits we missed: they go under
 * ours and ours are sent again. A refusal takes the edit out and says so. Anything else means "offline": kept, retried.
 */
import { acknowledge, isComplete, type Missed, prepareSend, rebase, refuse, resetBase } from "../../graph/sync";
import type { Message, Operation, PipelineDocument, Problem } from "../../graph/types";
import { dropLostSelection, reportRefused } from "./edits";
import { HEARTBEAT_MS, keepPending } from "./queue";
import { type BuilderStore, withSync } from "./state";

/** What the saver needs of the server; `remote.ts` implements it. */
export interface Remote {
  send(baseVersion: number, opId: string, ops: readonly Operation[]): Promise<SendResult>;
  missedSince(version: number): Promise<MissedAnswer>;
  read(): Promise<{ document: PipelineDocument; version: number; problems: readonly Problem[] }>;
}

export type SendResult =
  | { readonly kind: "saved"; readonly version: number; readonly problems: readonly Problem[] }
  | { readonly kind: "conflict"; readonly version: number; readonly missed: readonly Missed[] }
  | { readonly kind: "refused"; readonly reason: Message }
  | { readonly kind: "unreachable" };

/** `null`: the gap cannot be filled by operations (an import or a restore lies in it). */
export type MissedAnswer = { readonly version: number; readonly missed: readonly Missed[] } | null;

const SEND_AFTER_MS = 250;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 10_000;

export class Saver {
  private timer: ReturnType<typeof setTimeout> | null = null;
  private readonly beat: ReturnType<typeof setInterval>;
  private readonly stopWatching: () => void;
  private running: Promise<void> | null = null;
  private retry_ms = FIRST_RETRY_MS;
  private stopped = false;

  constructor(
    private readonly store: BuilderStore,
    private readonly remote: Remote,
    private readonly storage: Storage,
    private readonly tab: string,
    private readonly onSaved: () => void = () => {},
  ) {
    this.stopWatching = store.subscribe((state, before) => {
      if (state.sync.pending === before.sync.pending) return;
      this.keep();
      if (state.sync.pending.length > 0) this.schedule(SEND_AFTER_MS);
    });
    this.beat = setInterval(() => {
      if (store.getState().sync.pending.length > 0) this.keep();
    }, HEARTBEAT_MS);
    if (store.getState().sync.pending.length > 0) this.schedule(0);
  }

  stop(): void {
    this.stopped = true;
    this.stopWatching();
    clearInterval(this.beat);
    if (this.timer) clearTimeout(this.timer);
  }

  /** Send now; resolves with whether everything is saved. */
  async flush(): Promise<boolean> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    for (let tries = 0; tries < 20 && this.store.getState().sync.pending.length > 0; tries += 1) {
      await this.sendOnce();
      if (this.store.getState().save === "offline") return false;
    }
    return this.store.getState().sync.pending.length === 0;
  }

  /** Another tab or person changed the pipeline: read what we missed. */
  async catchUp(): Promise<void> {
    await this.running;
    const { version } = this.store.getState().sync;
    try {
      const answer = await this.remote.missedSince(version);
      if (!answer) await this.reread();
      else if (answer.version > this.store.getState().sync.version) this.putUnder(answer.missed, answer.version);
    } catch {
      this.schedule(this.retry_ms);
    }
  }

  /** Take the server's document as the base: after an import, a restore, or a gap. */
  async reread(): Promise<void> {
    const { document, version, problems } = await this.remote.read();
    const state = this.store.getState();
    this.store.setState(withSync(state, resetBase(state.sync, document, version, state.catalog), problems));
    dropLostSelection(this.store);
    this.onSaved();
  }

  private keep(): void {
    keepPending(this.storage, this.store.getState().pipelineId, this.tab, this.store.getState().sync.pending);
  }

  private schedule(wait_ms: number): void {
    if (this.timer || this.stopped) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      void this.flush().then((saved) => {
        if (!saved) this.schedule(this.retry_ms);
      });
    }, wait_ms);
  }

  private sendOnce(): Promise<void> {
    this.running ??= this.exchange().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  private async exchange(): Promise<void> {
    const sync = prepareSend(this.store.getState().sync);
    const batch = sync.pending[0];
    if (!batch) return;
    this.store.setState({ sync });
    const result = await this.remote.send(sync.version, batch.opId, batch.ops);
    if (this.stopped) return;
    switch (result.kind) {
      case "saved":
        return this.confirm(batch.opId, result.version, result.problems);
      case "conflict":
        return this.resolve(result.missed, result.version);
      case "refused":
        return this.takeOut(batch.opId, result.reason);
      case "unreachable":
        this.retry_ms =
          this.store.getState().save === "offline" ? Math.min(this.retry_ms * 2, LAST_RETRY_MS) : FIRST_RETRY_MS;
        this.store.setState({ save: "offline" });
    }
  }

  private async confirm(opId: string, version: number, problems: readonly Problem[]): Promise<void> {
    const state = this.store.getState();
    // The server may have answered a repeated send: then others' edits can lie between, and only it knows them.
    if (version > state.sync.version + 1) return this.fillGap();
    const sync = acknowledge(state.sync, opId, version, state.catalog);
    this.store.setState({ ...withSync(state, sync, problems), ...this.savedOrNot(sync.pending.length) });
    this.onSaved();
  }

  private async fillGap(): Promise<void> {
    try {
      const answer = await this.remote.missedSince(this.store.getState().sync.version);
      if (answer) this.putUnder(answer.missed, answer.version);
      else await this.reread();
    } catch {
      this.store.setState({ save: "offline" });
    }
  }

  private async resolve(missed: readonly Missed[], version: number): Promise<void> {
    const { sync } = this.store.getState();
    if (isComplete(missed, sync.version, version)) this.putUnder(missed, version);
    else await this.fillGap();
  }

  private putUnder(missed: readonly Missed[], version: number): void {
    const state = this.store.getState();
    const sync = rebase(state.sync, missed, version, state.catalog);
    this.store.setState({ ...withSync(state, sync), ...this.savedOrNot(sync.pending.length) });
    reportRefused(this.store, state.sync.refused.length);
    dropLostSelection(this.store);
    this.onSaved();
  }

  private takeOut(opId: string, reason: Message): void {
    const state = this.store.getState();
    const sync = refuse(state.sync, opId, reason, state.catalog);
    this.store.setState({ ...withSync(state, sync), ...this.savedOrNot(sync.pending.length) });
    reportRefused(this.store, state.sync.refused.length);
    dropLostSelection(this.store);
  }

  private savedOrNot(waiting: number) {
    this.retry_ms = FIRST_RETRY_MS;
    return { save: waiting === 0 ? ("saved" as const) : ("saving" as const) };
  }
}
