import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { pauseFor, Redraw } from "./redraw";

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "performance", "requestAnimationFrame", "cancelAnimationFrame"],
  });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A chart whose drawing costs so many milliseconds, asked to draw every 20 ms for a second. */
async function drawnInASecond(...costs: number[]): Promise<number[]> {
  const counts = costs.map(() => 0);
  const charts = costs.map(
    (cost, index) =>
      new Redraw(() => {
        counts[index] = (counts[index] ?? 0) + 1;
        return new Promise<void>((resolve) => setTimeout(resolve, cost));
      }),
  );
  for (let elapsed = 0; elapsed < 1000; elapsed += 20) {
    for (const chart of charts) chart.request();
    await vi.advanceTimersByTimeAsync(20);
  }
  for (const chart of charts) chart.end();
  return counts;
}

describe("how often charts draw", () => {
  /** A chart that drew so many times in the last second. */
  const chart = (cost: number, times = 1) =>
    Array.from({ length: times }, (_, index) => ({ end: 1000 - (index + 1) * (900 / times), cost })).reverse();

  it("leaves most of the page's time to the person", () => {
    expect(pauseFor(chart(3), [], 1000)).toBe(33);
    expect(pauseFor(chart(30), [], 1000)).toBeCloseTo(100);
    expect(pauseFor(chart(900), [], 1000)).toBe(500);
  });

  it("takes turns with charts that draw as often as they may", () => {
    const others = Array.from({ length: 9 }, () => chart(9, 4));
    expect(pauseFor(chart(9, 4), others, 1000)).toBeCloseTo(300);
  });

  it("uses what charts that draw once a second leave", () => {
    const others = Array.from({ length: 4 }, () => chart(25));
    expect(pauseFor(chart(25, 5), others, 1000)).toBeCloseTo(125);
  });

  it("leaves out charts that were quiet for a second", () => {
    expect(pauseFor(chart(12), [[{ end: -200, cost: 120 }]], 1000)).toBeCloseTo(40);
  });

  it("draws a cheap chart more than fifteen times a second, and an expensive one seldom", async () => {
    const [cheap] = await drawnInASecond(2);
    expect(cheap).toBeGreaterThan(15);
    const [expensive] = await drawnInASecond(60);
    expect(expensive).toBeLessThan(6);
  });

  it("draws what was asked for while it drew, and nothing after its end", async () => {
    let count = 0;
    const chart = new Redraw(() => {
      count += 1;
      if (count === 1) chart.request();
    });
    chart.request();
    await vi.advanceTimersByTimeAsync(200);
    expect(count).toBe(2);
    chart.end();
    chart.request();
    await vi.advanceTimersByTimeAsync(2000);
    expect(count).toBe(2);
  });
});
