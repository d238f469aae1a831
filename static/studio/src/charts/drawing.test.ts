import { describe, expect, it } from "vitest";
import { atRest, clear, draw } from "./drawing";
import type { Plotly } from "./loadPlotly";

/** A Plotly that draws until it is told to finish, and says what happened to it. */
function slowPlotly() {
  const said: string[] = [];
  const finish: ((error?: Error) => void)[] = [];
  const plotly = {
    react: () => {
      said.push("drawing");
      return new Promise<void>((resolve, reject) => {
        finish.push((error) => {
          said.push("drawn");
          if (error) reject(error);
          else resolve();
        });
      });
    },
    purge: () => said.push("emptied"),
  } as unknown as Plotly;
  return { plotly, said, finish };
}

describe("drawing and emptying of one element", () => {
  it("empties an element at rest at once", () => {
    const { plotly, said } = slowPlotly();
    clear(plotly, document.createElement("div"));
    expect(said).toEqual(["emptied"]);
  });

  it("finishes a drawing before it is taken away, and takes it away before the next", async () => {
    const { plotly, said, finish } = slowPlotly();
    const element = document.createElement("div");
    const first = draw(plotly, element);
    clear(plotly, element);
    const second = atRest(element).then(() => draw(plotly, element));
    await Promise.resolve();
    expect(said).toEqual(["drawing"]);
    finish[0]?.();
    await first;
    await new Promise((resolve) => setTimeout(resolve));
    expect(said).toEqual(["drawing", "drawn", "emptied", "drawing"]);
    finish[1]?.();
    await second;
    await atRest(element);
  });

  it("takes away what failed, and tells whoever drew", async () => {
    const { plotly, said, finish } = slowPlotly();
    const element = document.createElement("div");
    const drawn = draw(plotly, element);
    clear(plotly, element);
    finish[0]?.(new Error("no room"));
    await expect(drawn).rejects.toThrow("no room");
    await atRest(element);
    expect(said).toEqual(["drawing", "drawn", "emptied"]);
  });
});
