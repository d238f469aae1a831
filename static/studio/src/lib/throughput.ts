/** How fast a block works: its metrics whose name ends in `_per_s`. Read by the run page and by the cards. */
import { t } from "../i18n";
import { formatNumber } from "./format";

export interface Rate {
  unit: string;
  value: number;
}

const SUFFIX = "_per_s";

/** The newest rates of a block, from a run's metrics by address. */
export function ratesOf(metrics: Readonly<Record<string, number | null>>, block: string): Rate[] {
  const prefix = `${block}.`;
  return Object.entries(metrics).flatMap(([address, value]) =>
    address.startsWith(prefix) && address.endsWith(SUFFIX) && typeof value === "number" && Number.isFinite(value)
      ? [{ unit: address.slice(prefix.length, -SUFFIX.length).replaceAll("_", " "), value }]
      : [],
  );
}

/** "1,240 images/s": three digits are enough for a rate that never stands still. */
export function formatRate({ unit, value }: Rate): string {
  const rounded = value >= 100 ? Math.round(value) : value;
  return t("{rate} {what}/s", { rate: formatNumber(rounded, 3), what: t(unit) });
}
