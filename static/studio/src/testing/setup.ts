/** What jsdom lacks and every component test needs. Loaded by Vitest before each test file. */
import { cleanup } from "@testing-library/react";
import { afterEach } from "vitest";

class NoResizeObserver implements ResizeObserver {
  observe() {}
  unobserve() {}
  disconnect() {}
}

globalThis.ResizeObserver ??= NoResizeObserver;
afterEach(() => cleanup());
