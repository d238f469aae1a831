import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fixtureCatalog, fixtureDocument } from "../../graph/fixture";
import { applyAll } from "../../graph/operations";
import type { Missed } from "../../graph/sync";
import type { Operation } from "../../graph/types";
import { edit, redo, undo } from "./edits";
import { adoptPending, keepPending } from "./queue";
import { type Remote, Saver, type SendResult } from "./saver";
import { createBuilderStore } from "./state";

const setEpochs = (value: number): Operation => ({ op: "set_param", id: "train", name: "epochs", value });

/** A server in memory with the real rules: a stale base conflicts, an op_id counts once. */
class FakeServer implements Remote {
  document = fixtureDocument;
  log: Missed[] = [];
  reachable = true;
  loseAnswers = 0;

  get version() {
    return this.log.length;
  }

  store(opId: string, ops: readonly Operation[]) {
    this.document = applyAll(this.document, ops, fixtureCatalog);
    this.log.push({ version: this.version + 1, opId, ops });
  }

  async send(base: number, opId: string, ops: readonly Operation[]): Promise<SendResult> {
    if (!this.reachable) return { kind: "unreachable" };
    if (!this.log.some((batch) => batch.opId === opId)) {
      if (base !== this.version) return { kind: "conflict", version: this.version, missed: this.log.slice(base) };
      this.store(opId, ops);
    }
    if (this.loseAnswers > 0) {
      this.loseAnswers -= 1;
      return { kind: "unreachable" };
    }
    return { kind: "saved", version: this.version, problems: [] };
  }

  async missedSince(version: number) {
    return { version: this.version, missed: this.log.slice(version) };
  }

  async read() {
    return { document: this.document, version: this.version, problems: [] };
  }
}

const open = (server: FakeServer, pending: Parameters<typeof createBuilderStore>[0]["pending"] = []) =>
  createBuilderStore({
    pipelineId: "p",
    projectId: "j",
    workspaceId: "w",
    canEdit: true,
    canRunCode: false,
    catalog: fixtureCatalog,
    document: server.document,
    version: server.version,
    problems: [],
    pending,
  });

describe("saver", () => {
  let server: FakeServer;
  let savers: Saver[];
  const tab = (name: string, pending: Parameters<typeof createBuilderStore>[0]["pending"] = []) => {
    const store = open(server, pending);
    const saver = new Saver(store, server, localStorage, name);
    savers.push(saver);
    return { store, saver };
  };

  beforeEach(() => {
    vi.useFakeTimers();
    localStorage.clear();
    server = new FakeServer();
    savers = [];
  });

  afterEach(() => {
    for (const saver of savers) saver.stop();
    vi.useRealTimers();
  });

  it("stores an edit within a second and says so", async () => {
    const { store } = tab("a");
    edit(store, [setEpochs(9)]);
    expect(store.getState().save).toBe("saving");
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.document.blocks.train?.params.epochs).toBe(9);
    expect(store.getState().save).toBe("saved");
    expect(localStorage.length).toBe(0);
  });

  it("keeps edits while offline and sends them when the server is back", async () => {
    const { store } = tab("a");
    server.reachable = false;
    edit(store, [setEpochs(9)]);
    await vi.advanceTimersByTimeAsync(3000);
    edit(store, [{ op: "set_seed", seed: 5 }]);
    expect(store.getState().save).toBe("offline");
    expect(localStorage.length).toBe(1);
    server.reachable = true;
    await vi.advanceTimersByTimeAsync(15_000);
    expect(server.document.seed).toBe(5);
    expect(server.document.blocks.train?.params.epochs).toBe(9);
    expect(store.getState().save).toBe("saved");
  });

  it("does not apply an edit twice when only the answer was lost", async () => {
    const { store } = tab("a");
    server.loseAnswers = 1;
    edit(store, [{ op: "add_block", id: "new", type: "data.digits", params: {}, position: [0, 0] }]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(server.version).toBe(1);
    expect(store.getState().save).toBe("saved");
  });

  it("lets two tabs edit at once without losing either's edit", async () => {
    const first = tab("a");
    const second = tab("b");
    edit(first.store, [setEpochs(9)]);
    edit(second.store, [{ op: "set_seed", seed: 5 }]);
    await vi.advanceTimersByTimeAsync(2000);
    await first.saver.catchUp();
    await second.saver.catchUp();
    for (const { store } of [first, second]) {
      expect(store.getState().sync.document.seed).toBe(5);
      expect(store.getState().sync.document.blocks.train?.params.epochs).toBe(9);
      expect(store.getState().save).toBe("saved");
    }
  });

  it("finds the edits of a tab that was closed before it could save", async () => {
    const closed = tab("a");
    server.reachable = false;
    edit(closed.store, [setEpochs(9)]);
    await vi.advanceTimersByTimeAsync(500);
    closed.saver.stop();
    server.reachable = true;
    expect(adoptPending(localStorage, "p", null)).toEqual([]);
    await vi.advanceTimersByTimeAsync(10_000);
    const { store } = tab("b", adoptPending(localStorage, "p", null));
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.document.blocks.train?.params.epochs).toBe(9);
    expect(store.getState().save).toBe("saved");
  });

  it("survives a full storage", () => {
    const full = {
      setItem: () => {
        throw new Error("full");
      },
      removeItem: () => {},
    } as unknown as Storage;
    expect(keepPending(full, "p", "a", [{ opId: "x", ops: [] }])).toBe(false);
  });

  it("undoes and redoes as ordinary edits", async () => {
    const { store } = tab("a");
    edit(store, [{ op: "remove_block", id: "split" }]);
    undo(store);
    expect(store.getState().sync.document.wires).toHaveLength(3);
    redo(store);
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.document.blocks.split).toBeUndefined();
    undo(store);
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.document.blocks.split).toBeDefined();
  });

  it("shows a refused edit and leaves the document alone", () => {
    const { store } = tab("a");
    expect(edit(store, [{ op: "connect", from: "model.model", to: "split.dataset" }])).toBe(false);
    expect(store.getState().notice?.tone).toBe("error");
    expect(store.getState().sync.pending).toEqual([]);
  });
});
