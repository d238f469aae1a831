/** Which runs changed their precision, block by block, as rows that can be compared. Pure. */
import { type Decision, type RungSpan, rungSpans } from "../../lib/decisions";

export interface PrecisionRow {
  run: string;
  block: string;
  spans: readonly RungSpan[];
  switches: readonly { step: number; from: string; to: string; decision: Decision | null }[];
  /** Where the row ends: the last step that is known. */
  end: number;
}

/** One row a run and block that said its precision, in the order of the runs. */
export function precisionRows(
  runs: readonly string[],
  decisions: Readonly<Record<string, readonly Decision[]>>,
  lastSteps: Readonly<Record<string, Readonly<Record<string, number>>>>,
): PrecisionRow[] {
  return runs.flatMap((run) => {
    const all = decisions[run] ?? [];
    const blocks = [...new Set(all.map((one) => one.block))];
    return blocks.flatMap((block): PrecisionRow[] => {
      const own = all.filter((one) => one.block === block);
      const spans = rungSpans(own);
      if (spans.length === 0) {
        return [];
      }
      const switches = spans.slice(1).map((span, index) => ({
        step: span.from,
        from: spans[index]!.rung,
        to: span.rung,
        decision: own.find((one) => one.kind === "precision" && one.step === span.from) ?? null,
      }));
      const end = Math.max(lastSteps[run]?.[block] ?? 0, spans[spans.length - 1]!.from);
      return [{ run, block, spans, switches, end }];
    });
  });
}
