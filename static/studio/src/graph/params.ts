/**
 * A block's parameters as form fields: what kind of input each needs, and whether a value is allowed.
 *
 * Reads the JSON Schema of the catalog (pydantic's dialect). The server checks again; this answers while typing.
 */
import { type BlockEntry, type BlockSpec, type Message, message, type ParamSchema } from "./types";

export type FieldKind =
  | "number"
  | "integer"
  | "boolean"
  | "choice"
  | "text"
  | "code"
  | "artifact"
  | "path"
  | "column"
  | "json";

export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  readonly title: string;
  readonly help: string;
  readonly default: unknown;
  readonly required: boolean;
  readonly nullable: boolean;
  readonly unit: string | null;
  readonly slider: boolean;
  readonly advanced: boolean;
  /** Title of the section of the form, for an advanced one. */
  readonly group: string | null;
  readonly choices: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

const fieldsOfSpec = new WeakMap<BlockSpec, readonly Field[]>();

/** The fields of a block's form, in the order of its schema. */
export function fieldsOf(spec: BlockSpec): readonly Field[] {
  const known = fieldsOfSpec.get(spec);
  if (known) return known;
  const { properties = {}, required = [] } = spec.params.schema;
  const fields = Object.entries(properties).map(([name, schema]) => readField(name, schema, required.includes(name)));
  fieldsOfSpec.set(spec, fields);
  return fields;
}

function readField(name: string, schema: ParamSchema, required: boolean): Field {
  const variants = schema.anyOf ?? [schema];
  const main = variants.find((variant) => variant.type !== "null") ?? schema;
  const several = variants.filter((variant) => variant.type !== "null").length > 1;
  const closed = main.enum ?? (main.const !== undefined ? [main.const] : []);
  const bounds = { ...readBounds(main), ...readBounds(schema) };
  const kind = several ? "json" : readKind(main, schema.widget ?? main.widget ?? null, closed);
  return {
    name,
    kind,
    title: schema.title ?? titleFromName(name),
    help: schema.description ?? "",
    default: schema.default,
    required,
    nullable: variants.some((variant) => variant.type === "null"),
    unit: schema.unit ?? null,
    slider: isBounded(bounds) && (kind === "number" || kind === "integer"),
    advanced: schema.advanced === true,
    group: schema.group ?? null,
    choices: closed.length > 0 ? closed : (schema.choices ?? []),
    ...bounds,
  };
}

function readKind(schema: ParamSchema, widget: string | null, closed: readonly unknown[]): FieldKind {
  if (closed.length > 0) return "choice";
  if (widget === "code" || widget === "artifact" || widget === "path" || widget === "column") return widget;
  switch (schema.type) {
    case "number":
      return "number";
    case "integer":
      return "integer";
    case "boolean":
      return "boolean";
    case "string":
      return "text";
    default:
      return "json";
  }
}

type Bounds = Pick<Field, "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum">;

function readBounds(schema: ParamSchema): Bounds {
  return {
    ...(schema.minimum !== undefined ? { minimum: schema.minimum } : {}),
    ...(schema.maximum !== undefined ? { maximum: schema.maximum } : {}),
    ...(schema.exclusiveMinimum !== undefined ? { exclusiveMinimum: schema.exclusiveMinimum } : {}),
    ...(schema.exclusiveMaximum !== undefined ? { exclusiveMaximum: schema.exclusiveMaximum } : {}),
  };
}

const isBounded = (bounds: Bounds): boolean =>
  (bounds.minimum ?? bounds.exclusiveMinimum) !== undefined &&
  (bounds.maximum ?? bounds.exclusiveMaximum) !== undefined;

const titleFromName = (name: string): string => {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
};

export interface FieldGroup {
  /** Null for advanced fields that name no group. */
  readonly title: string | null;
  readonly fields: readonly Field[];
}

/** The advanced fields in their sections, in the order of the schema; those without a section come last. */
export function groupsOf(fields: readonly Field[]): FieldGroup[] {
  const groups = new Map<string | null, Field[]>();
  for (const field of fields.filter((one) => one.advanced)) {
    const group = groups.get(field.group);
    if (group) group.push(field);
    else groups.set(field.group, [field]);
  }
  const found = [...groups].map(([title, members]) => ({ title, fields: members }));
  return [...found.filter((group) => group.title !== null), ...found.filter((group) => group.title === null)];
}

/** Whether a field is one that somebody looks for: every word is in its title, name, help or section. */
export function matchesField(field: Field, query: string, translate: (text: string) => string): boolean {
  const own = [field.title, field.name.replaceAll("_", " "), field.help, field.group ?? ""];
  const text = [...own, ...own.map(translate)].join(" ").toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** The value in effect: what was set, else the default. */
export function valueIn(block: BlockEntry, field: Field): unknown {
  return field.name in block.params ? block.params[field.name] : field.default;
}

export function isChanged(block: BlockEntry, field: Field): boolean {
  return field.name in block.params && !sameJson(block.params[field.name], field.default);
}

export function sameJson(left: unknown, right: unknown): boolean {
  return left === right || JSON.stringify(left) === JSON.stringify(right);
}

/** What is wrong with a value; null when the field may hold it. */
export function valueProblem(field: Field, value: unknown): Message | null {
  if (value === undefined || value === "" || value === null) return emptyProblem(field, value);
  switch (field.kind) {
    case "number":
    case "integer":
      return numberProblem(field, value);
    case "boolean":
      return typeof value === "boolean" ? null : message("Choose yes or no.");
    case "choice":
      return field.choices.some((choice) => sameJson(choice, value))
        ? null
        : message("Choose one of: {choices}.", { choices: field.choices.join(", ") });
    case "json":
      return null;
    default:
      return typeof value === "string" ? null : message("Enter a text.");
  }
}

function emptyProblem(field: Field, value: unknown): Message | null {
  if (field.nullable && value !== "") return null;
  if (field.required) return message("Enter a value.");
  if (value === null || (value === "" && (field.kind === "number" || field.kind === "integer")))
    return message("Enter a value.");
  return null;
}

function numberProblem(field: Field, value: unknown): Message | null {
  if (typeof value !== "number" || !Number.isFinite(value)) return message("Enter a number.");
  if (field.kind === "integer" && !Number.isInteger(value)) return message("Enter a whole number.");
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = field;
  if (minimum !== undefined && value < minimum) return message("Must be at least {bound}.", { bound: minimum });
  if (maximum !== undefined && value > maximum) return message("Must be at most {bound}.", { bound: maximum });
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum)
    return message("Must be more than {bound}.", { bound: exclusiveMinimum });
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum)
    return message("Must be less than {bound}.", { bound: exclusiveMaximum });
  return null;
}
