/** The type under which the palette hands a block to the canvas while it is dragged. */
export const BLOCK_MIME = "application/x-deepseek-block";
