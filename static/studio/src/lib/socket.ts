/**
 * A WebSocket that comes back by itself: full-jitter waiting, at once when the browser is online again.
 *
 * `RunSocket` follows one run from a sequence number and loses nothing: after every reconnect it asks
 * for what came after the last event it handed over. `BellSocket` only says that something changed.
 */
import type { Run, RunEvent } from "./runTypes";

export type LinkState = "connecting" | "live" | "offline" | "closed";

const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 10_000;

/** Full jitter (Brooker 2015): a random wait below an exponentially growing ceiling. */
export function jitteredWait(attempt: number, random: () => number = Math.random): number {
  return random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
}

export function socketUrl(path: string): string {
  const url = new URL(path, window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

export abstract class ReconnectingSocket {
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private attempt = 0;
  private stopped = false;

  constructor(
    private readonly url: string,
    private readonly onLink: (state: LinkState) => void = () => {},
  ) {}

  protected abstract opened(): void;
  protected abstract received(message: Record<string, unknown>): void;

  start(): void {
    window.addEventListener("online", this.reopen);
    window.addEventListener("offline", this.dropped);
    this.open();
  }

  stop(): void {
    this.stopped = true;
    window.removeEventListener("online", this.reopen);
    window.removeEventListener("offline", this.dropped);
    this.clear();
    this.onLink("closed");
  }

  protected send(message: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify(message));
    }
  }

  /** Drop the connection and make a new one at once. */
  protected readonly reopen = (): void => {
    if (!this.stopped) {
      this.clear();
      this.attempt = 0;
      this.open();
    }
  };

  private readonly dropped = (): void => {
    this.clear();
    this.retry();
  };

  private open(): void {
    this.onLink("connecting");
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      this.attempt = 0;
      this.onLink("live");
      this.opened();
    };
    socket.onmessage = (event) => this.received(JSON.parse(String(event.data)) as Record<string, unknown>);
    socket.onclose = () => {
      if (this.socket === socket) {
        this.socket = null;
        this.retry();
      }
    };
  }

  private retry(): void {
    if (this.stopped || this.timer !== null) {
      return;
    }
    this.onLink("offline");
    this.timer = setTimeout(() => {
      this.timer = null;
      this.open();
    }, jitteredWait(this.attempt));
    this.attempt += 1;
  }

  private clear(): void {
    if (this.timer !== null) {
      clearTimeout(this.timer);
      this.timer = null;
    }
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }
}

export interface RunSocketHandlers {
  onEvents: (events: RunEvent[], head: number) => void;
  onReset: (run: Run, head: number) => void;
  onLink?: (state: LinkState) => void;
  onClosed?: (reason: string) => void;
}

export class RunSocket extends ReconnectingSocket {
  constructor(
    runId: string,
    private after: number,
    private readonly handlers: RunSocketHandlers,
  ) {
    super(socketUrl(`/ws/runs/${runId}`), handlers.onLink);
  }

  protected opened(): void {
    this.send({ type: "subscribe", after: this.after });
  }

  protected received(message: Record<string, unknown>): void {
    if (message.type === "events") {
      this.receivedEvents(message.events as RunEvent[], Number(message.head));
    } else if (message.type === "reset") {
      this.after = Number(message.head);
      this.handlers.onReset(message.run as Run, this.after);
      this.send({ type: "ack", seq: this.after });
    } else if (message.type === "closed") {
      this.handlers.onClosed?.(String(message.reason));
      if (message.reason === "finished") {
        this.stop();
      }
    }
  }

  private receivedEvents(events: RunEvent[], head: number): void {
    const fresh = events.filter((event) => event.seq > this.after);
    const first = fresh[0];
    if (first && first.seq > this.after + 1) {
      // A batch went missing on the way: ask again from where we are.
      this.reopen();
      return;
    }
    if (first) {
      this.after = fresh[fresh.length - 1]!.seq;
      this.handlers.onEvents(fresh, head);
    }
    this.send({ type: "ack", seq: this.after });
  }
}

export interface Change {
  what: "runs" | "pipelines" | "data" | "models" | "everything";
  id: string | null;
}

/** Rings when an object of the project changes; after a reconnect it rings once for everything. */
export class BellSocket extends ReconnectingSocket {
  private seenOpen = false;

  constructor(
    projectId: string,
    private readonly onChange: (change: Change) => void,
    onLink?: (state: LinkState) => void,
  ) {
    super(socketUrl(`/ws/projects/${projectId}`), onLink);
  }

  protected opened(): void {
    if (this.seenOpen) {
      this.onChange({ what: "everything", id: null });
    }
    this.seenOpen = true;
  }

  protected received(message: Record<string, unknown>): void {
    if (message.type === "changed") {
      this.onChange({ what: message.what as Change["what"], id: (message.id as string) ?? null });
    }
  }
}
