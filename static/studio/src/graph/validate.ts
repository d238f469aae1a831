/**
 * The checks the browser can make by itself while drawing, and how they join the server's.
 *
 * The server's list is the truth for the version it answered; between an edit and its answer (or offline) the light
 * checks fill in.
 */
import { inputAt, kindFits, outputAt, specOf } from "./connections";
import { blocksOnCycle, splitAddress } from "./document";
import { fieldsOf, valueProblem } from "./params";
import {
  type BlockEntry,
  type BlockSpec,
  type Catalog,
  type Message,
  message,
  type Operation,
  type PipelineDocument,
  type Problem,
  type Severity,
} from "./types";

const problem = (block: string | null, field: string | null, severity: Severity, text: Message): Problem => ({
  block,
  field,
  severity,
  ...text,
});

/** Unknown blocks, wrong values, missing or unfitting wires, loops. */
export function validateLight(document: PipelineDocument, catalog: Catalog): Problem[] {
  const problems: Problem[] = [];
  const wired = new Set(document.wires.map(([, to]) => to));
  for (const [id, block] of Object.entries(document.blocks)) {
    const spec = catalog.blocks[block.type];
    if (!spec) problems.push(problem(id, null, "error", message("There is no block {type}", { type: block.type })));
    else problems.push(...paramProblems(id, block, spec), ...inputProblems(id, block, spec, wired));
  }
  problems.push(...wireProblems(document, catalog));
  for (const id of blocksOnCycle(document))
    problems.push(problem(id, null, "error", message("This block is part of a loop.")));
  if (Object.keys(document.blocks).length === 0)
    problems.push(problem(null, null, "info", message("The pipeline has no blocks yet")));
  return problems;
}

function paramProblems(id: string, block: BlockEntry, spec: BlockSpec): Problem[] {
  const fields = fieldsOf(spec);
  const known = new Set(fields.map((field) => field.name));
  const problems = Object.keys(block.params)
    .filter((name) => !known.has(name))
    .map((name) =>
      problem(id, name, "error", message("The block {type} has no parameter {name}", { type: spec.id, name })),
    );
  for (const field of fields) {
    const value = field.name in block.params ? block.params[field.name] : field.default;
    const wrong = valueProblem(field, value);
    if (wrong) problems.push(problem(id, field.name, "error", wrong));
  }
  return problems;
}

function inputProblems(id: string, block: BlockEntry, spec: BlockSpec, wired: ReadonlySet<string>): Problem[] {
  if (block.bypass) return [];
  return spec.inputs
    .filter((input) => !input.optional && !wired.has(`${id}.${input.name}`))
    .map((input) =>
      problem(id, input.name, "error", message("The input {port} is not connected", { port: input.name })),
    );
}

function wireProblems(document: PipelineDocument, catalog: Catalog): Problem[] {
  const problems: Problem[] = [];
  for (const [from, to] of document.wires) {
    const source = splitAddress(from);
    const target = splitAddress(to);
    if (!specOf(document, catalog, source.block) || !specOf(document, catalog, target.block)) {
      if (!document.blocks[source.block] || !document.blocks[target.block])
        problems.push(problem(null, null, "error", message("The wire {from} -> {to} leads nowhere.", { from, to })));
      continue;
    }
    const output = outputAt(document, catalog, from);
    const input = inputAt(document, catalog, to);
    if (!output || !input)
      problems.push(
        problem(target.block, target.port, "error", message("The wire {from} -> {to} leads nowhere.", { from, to })),
      );
    else if (!kindFits(catalog, output.kind, input))
      problems.push(
        problem(
          target.block,
          target.port,
          "error",
          message("{output} gives {given}, but {input} takes {taken}", {
            output: from,
            given: output.kind,
            input: to,
            taken: input.kinds.join(", "),
          }),
        ),
      );
  }
  return problems;
}

const place = (item: Problem): string => `${item.block ?? ""}\n${item.field ?? ""}\n${item.severity}`;

/**
 * One list from both. In step with the server its list alone counts; while edits wait, its problems stand only for
 * blocks that the waiting edits do not touch.
 */
export function mergeProblems(
  document: PipelineDocument,
  local: readonly Problem[],
  server: readonly Problem[],
  waiting: readonly Operation[],
): Problem[] {
  if (waiting.length === 0) return sortProblems(server);
  const touched = touchedBlocks(waiting);
  const kept = server.filter((item) => item.block !== null && document.blocks[item.block] && !touched.has(item.block));
  const seen = new Set(kept.map(place));
  return sortProblems([...kept, ...local.filter((item) => !seen.has(place(item)))]);
}

/** Blocks whose problems an edit may have changed. */
export function touchedBlocks(operations: readonly Operation[]): Set<string> {
  const touched = new Set<string>();
  for (const operation of operations) {
    if (operation.op === "connect" || operation.op === "disconnect") {
      touched.add(splitAddress(operation.from).block);
      touched.add(splitAddress(operation.to).block);
    } else if (operation.op === "rename_id") touched.add(operation.id).add(operation.new_id);
    else if ("id" in operation) touched.add(operation.id);
  }
  return touched;
}

const rank: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2, hint: 3 };

export function sortProblems(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((left, right) => rank[left.severity] - rank[right.severity]);
}

export const hasErrors = (problems: readonly Problem[]): boolean => problems.some((item) => item.severity === "error");
