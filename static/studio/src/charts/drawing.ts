/**
 * Plotly draws in several turns, and fails when its element is emptied in between. Here drawing and emptying of one
 * element wait for each other.
 */
import type { Plotly } from "./loadPlotly";

type Arguments = Parameters<Plotly["react"]>;

/** What an element is in the middle of. */
const busy = new WeakMap<Element, Promise<void>>();

/** Resolves when nothing is drawn in the element, nor taken away from it. */
export async function atRest(element: Element): Promise<void> {
  for (let turn = busy.get(element); turn; turn = busy.get(element)) await turn;
}

/** Draw in an element that is at rest. */
export async function draw(plotly: Plotly, element: HTMLElement, ...rest: unknown[]): Promise<void> {
  const drawn = plotly.react(...([element, ...rest] as unknown as Arguments));
  hold(
    element,
    drawn.then(
      () => {},
      () => {},
    ),
  );
  await drawn;
}

/** Take the drawing away, as soon as it is finished. */
export function clear(plotly: Plotly, element: HTMLElement): void {
  const turn = busy.get(element);
  if (turn)
    hold(
      element,
      turn.then(() => plotly.purge(element)),
    );
  else plotly.purge(element);
}

function hold(element: Element, turn: Promise<void>): void {
  const held: Promise<void> = turn.then(() => {
    if (busy.get(element) === held) busy.delete(element);
  });
  busy.set(element, held);
}
