/** Boxes and colours for the overview and the minimap, read from React Flow and the theme. */
import type { InternalNode, Node } from "@xyflow/react";
import { color } from "../../charts/theme";
import { CARD_HEIGHT, CARD_WIDTH } from "../../graph/place";
import { cardState } from "../../graph/runview";
import type { BuilderState } from "../store/state";
import { blockTitle } from "../texts";
import { categoryToken } from "./kinds";
import type { Box, Palette } from "./overview";
import { NOTE_PREFIX } from "./useFlowNodes";

/** The colours of the current theme; `color` forgets them when the theme changes. */
export function readPalette(): Palette {
  return {
    surface: color("--surface"),
    border: color("--border-strong"),
    wire: color("--border-strong"),
    accent: color("--accent"),
    text: color("--text"),
    font: getComputedStyle(document.body).fontFamily,
    states: { running: color("--accent"), failed: color("--danger") },
  };
}

export function readBoxes(nodes: ReadonlyMap<string, InternalNode<Node>>, state: BuilderState): Map<string, Box> {
  const boxes = new Map<string, Box>();
  const { blocks } = state.sync.document;
  for (const node of nodes.values()) {
    const isNote = node.id.startsWith(NOTE_PREFIX);
    const block = blocks[node.id];
    if (!block && !isNote) continue;
    const spec = block && state.catalog.blocks[block.type];
    boxes.set(node.id, {
      id: node.id,
      x: node.internals.positionAbsolute.x,
      y: node.internals.positionAbsolute.y,
      width: node.measured.width ?? CARD_WIDTH,
      height: node.measured.height ?? CARD_HEIGHT,
      colour: color(isNote ? "--note-line" : categoryToken(spec?.category ?? "")),
      label: block ? blockTitle(block, spec) : "",
      selected: node.selected === true,
      state: cardState(state.run?.blocks[node.id]),
    });
  }
  return boxes;
}
