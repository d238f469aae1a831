/**
 * The shapes everything in the builder speaks: the pipeline document, the block catalog, operations and problems.
 *
 * Used by `graph/*` (pure functions) and `builder/*` (React). Knows nothing of React, the network or translation:
 * texts are English templates with values, translated where they are shown.
 */

export type Point = readonly [x: number, y: number];

export interface BlockEntry {
  readonly type: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly label?: string;
  readonly bypass?: boolean;
}

/** A wire from an output port to an input port, both written `block.port`. */
export type Wire = readonly [from: string, to: string];

export interface Note {
  readonly id: string;
  readonly text: string;
  readonly position: Point;
  readonly size?: Point;
}

export interface Layout {
  readonly positions: Readonly<Record<string, Point>>;
  readonly notes: readonly Note[];
  readonly frames: readonly unknown[];
}

export interface PipelineDocument {
  readonly format: string;
  readonly name: string;
  readonly seed: number;
  readonly blocks: Readonly<Record<string, BlockEntry>>;
  readonly wires: readonly Wire[];
  readonly layout: Layout;
}

export const DOCUMENT_FORMAT = "deepseek.pipeline/1";

/** One property of a block's parameter schema, as pydantic writes it, with our extra keys. */
export interface ParamSchema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly anyOf?: readonly ParamSchema[];
  readonly unit?: string | null;
  readonly widget?: string | null;
  readonly advanced?: boolean;
  readonly group?: string | null;
  readonly choices?: readonly unknown[] | null;
}

export interface InputPort {
  readonly name: string;
  readonly kinds: readonly string[];
  readonly optional: boolean;
  readonly many: boolean;
}

export interface OutputPort {
  readonly name: string;
  readonly kind: string;
  readonly measured?: boolean;
}

export interface BlockSpec {
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  readonly doc: string;
  readonly category: string;
  readonly version: number;
  readonly needs: string;
  readonly required: boolean;
  readonly permission: string | null;
  readonly hidden?: boolean;
  readonly params: {
    readonly schema: {
      readonly properties?: Readonly<Record<string, ParamSchema>>;
      readonly required?: readonly string[];
    };
  };
  readonly inputs: readonly InputPort[];
  readonly outputs: readonly OutputPort[];
  readonly examples?: readonly Readonly<Record<string, unknown>>[];
}

export interface Catalog {
  readonly format: string;
  readonly digest: string;
  readonly blocks: Readonly<Record<string, BlockSpec>>;
  /** Artifact kind -> itself and every ancestor kind. */
  readonly kinds: Readonly<Record<string, readonly string[]>>;
  readonly categories: readonly { readonly id: string; readonly title: string }[];
}

export type Operation =
  | {
      readonly op: "add_block";
      readonly id: string;
      readonly type: string;
      readonly params: Readonly<Record<string, unknown>>;
      readonly position: Point;
      readonly label?: string;
    }
  | { readonly op: "remove_block"; readonly id: string }
  | {
      readonly op: "set_param";
      readonly id: string;
      readonly name: string;
      readonly value: unknown;
    }
  | { readonly op: "reset_param"; readonly id: string; readonly name: string }
  | { readonly op: "connect"; readonly from: string; readonly to: string }
  | { readonly op: "disconnect"; readonly from: string; readonly to: string }
  | { readonly op: "rename"; readonly id: string; readonly label: string | null }
  | { readonly op: "rename_id"; readonly id: string; readonly new_id: string }
  | { readonly op: "bypass"; readonly id: string; readonly value: boolean }
  | { readonly op: "move"; readonly positions: Readonly<Record<string, Point>> }
  | { readonly op: "set_seed"; readonly seed: number }
  | { readonly op: "set_name"; readonly name: string }
  | {
      readonly op: "set_note";
      readonly id: string;
      readonly text: string;
      readonly position: Point;
      readonly size?: Point;
    }
  | { readonly op: "remove_note"; readonly id: string };

/** An English sentence with `{name}` placeholders, and what fills them. */
export interface Message {
  readonly template: string;
  readonly values: Readonly<Record<string, string | number>>;
}

export type Severity = "error" | "warning" | "info" | "hint";

export interface Problem extends Message {
  readonly block: string | null;
  readonly field: string | null;
  readonly severity: Severity;
  readonly hint?: string | null;
}

export function message(template: string, values: Message["values"] = {}): Message {
  return { template, values };
}
