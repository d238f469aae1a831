import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RunEvent } from "./runTypes";
import { jitteredWait, RunSocket } from "./socket";

class FakeSocket {
  static all: FakeSocket[] = [];
  static OPEN = 1;
  readyState = 0;
  sent: Record<string, unknown>[] = [];
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }
  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
    this.onclose?.();
  }
  accept() {
    this.readyState = 1;
    this.onopen?.();
  }
  deliver(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

const log = (seq: number): RunEvent => ({ seq, type: "log", block: null, level: "info", message: "m", t: seq });
const latest = () => FakeSocket.all[FakeSocket.all.length - 1]!;

let seen: number[] = [];
let resets = 0;
let socket: RunSocket;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  FakeSocket.all = [];
  seen = [];
  resets = 0;
  socket = new RunSocket("r1", 4, {
    onEvents: (events) => seen.push(...events.map((event) => event.seq)),
    onReset: () => {
      resets += 1;
    },
  });
  socket.start();
  latest().accept();
});

afterEach(() => {
  socket.stop();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("RunSocket", () => {
  it("subscribes after the last known event and acknowledges each batch", () => {
    latest().deliver({ type: "events", events: [log(5), log(6)], head: 6 });
    expect(latest().sent).toEqual([
      { type: "subscribe", after: 4 },
      { type: "ack", seq: 6 },
    ]);
    expect(seen).toEqual([5, 6]);
  });

  it("hands an event over once even when the server repeats it", () => {
    latest().deliver({ type: "events", events: [log(5)], head: 5 });
    latest().deliver({ type: "events", events: [log(5), log(6)], head: 6 });
    expect(seen).toEqual([5, 6]);
  });

  it("loses nothing over a minute offline", () => {
    latest().deliver({ type: "events", events: [log(5)], head: 5 });
    window.dispatchEvent(new Event("offline"));
    vi.advanceTimersByTime(60_000);
    window.dispatchEvent(new Event("online"));
    latest().accept();
    expect(latest().sent[0]).toEqual({ type: "subscribe", after: 5 });
    latest().deliver({ type: "events", events: [log(6), log(7)], head: 7 });
    expect(seen).toEqual([5, 6, 7]);
  });

  it("connects again by itself after the server went away", () => {
    latest().close();
    vi.advanceTimersByTime(10_000);
    expect(FakeSocket.all.length).toBeGreaterThan(1);
  });

  it("asks again when a batch is missing", () => {
    latest().deliver({ type: "events", events: [log(8)], head: 8 });
    expect(seen).toEqual([]);
    latest().accept();
    expect(latest().sent[0]).toEqual({ type: "subscribe", after: 4 });
  });

  it("continues from the head of a reset", () => {
    latest().deliver({ type: "reset", run: {}, head: 90 });
    latest().deliver({ type: "events", events: [log(91)], head: 91 });
    expect(resets).toBe(1);
    expect(seen).toEqual([91]);
  });
});

describe("jitteredWait", () => {
  it("stays under a growing ceiling of ten seconds", () => {
    expect(jitteredWait(0, () => 1)).toBe(500);
    expect(jitteredWait(3, () => 1)).toBe(4000);
    expect(jitteredWait(20, () => 1)).toBe(10_000);
    expect(jitteredWait(20, () => 0)).toBe(0);
  });
});
