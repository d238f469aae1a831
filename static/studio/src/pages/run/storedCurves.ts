/** Which curves a run has, in which order, which of them carries the decisions, and how long an epoch is. */
import { useEffect, useState } from "react";
import { decodeSeries, type Series, stepsPerEpoch } from "../../charts/curves";
import { isCandidate } from "../../compression/candidates";
import { api } from "../../lib/api";
import type { Decision } from "../../lib/decisions";
import type { RunState } from "../../lib/live";
import type { SeriesJson } from "../../lib/runTypes";

const PER_EPOCH = ["validation_loss", "validation_accuracy", "train_accuracy"];
const FIRST_NAMES = ["loss", "train_accuracy", "validation_accuracy", "validation_loss"];

/** Curves in the order a reader wants them: loss, accuracy, the rest by name. */
export function metricOrder(a: string, b: string): number {
  const place = (address: string) => {
    const at = FIRST_NAMES.indexOf(address.split(".").slice(1).join("."));
    return at < 0 ? FIRST_NAMES.length : at;
  };
  return place(a) - place(b) || a.localeCompare(b);
}

interface Stored {
  names: string[];
  epochs: Series | undefined;
  /** Unix seconds of the first point of all. */
  start: number | null;
}

/** Which metrics have a curve on the server, and a per-epoch one to count epochs with. */
export function useStoredCurves(runId: string): Stored {
  const [stored, setStored] = useState<Stored>({ names: [], epochs: undefined, start: null });
  useEffect(() => {
    const abort = new AbortController();
    api.get<{ series: Record<string, SeriesJson> }>(`/runs/${runId}/series?points=2`, abort.signal).then(
      ({ series }) => {
        const perEpoch = Object.entries(series).find(([name]) => PER_EPOCH.includes(name.split(".").pop() ?? ""));
        setStored({
          names: Object.keys(series).filter((name) => series[name]!.total > 0),
          epochs: perEpoch && decodeSeries(perEpoch[1]),
          start: firstMoment(Object.values(series)),
        });
      },
      () => {
        // The cards report the error where the curve would be; here only the names are missing.
      },
    );
    return () => abort.abort();
  }, [runId]);
  return stored;
}

function firstMoment(series: readonly SeriesJson[]): number | null {
  const moments = series.flatMap((one) => [...decodeSeries(one).t.subarray(0, 1)]);
  return moments.length > 0 ? Math.min(...moments) : null;
}

/** Which chart carries the decisions of its block: the first one, that is the loss. Candidates have a chart of their own. */
export function timelinesOf(decisions: readonly Decision[], names: readonly string[]): Map<string, Decision[]> {
  const found = new Map<string, Decision[]>();
  for (const decision of decisions) {
    const name = names.find((one) => one.startsWith(`${decision.block}.`));
    if (name !== undefined && !isCandidate(decision)) {
      const before = found.get(name);
      if (before) {
        before.push(decision);
      } else {
        found.set(name, [decision]);
      }
    }
  }
  return found;
}

/** Steps of an epoch, from what is stored or streams in; null where nothing is said once an epoch. */
export function epochLength(stored: Series | undefined, tails: RunState["tails"]): number | null {
  const known = stepsPerEpoch(stored);
  if (known !== null) {
    return known;
  }
  const live = Object.entries(tails).find(([name]) => PER_EPOCH.includes(name.split(".").pop() ?? ""))?.[1];
  return live && live.count > 0 ? live.lastStep / live.count : null;
}
