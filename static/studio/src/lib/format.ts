/**
 * Numbers, dates, durations and sizes in the language of the page. Used everywhere; holds no state
 * beyond the cached `Intl` formatters.
 */

/** The page's language as a BCP 47 tag; the server writes it into `<html lang>`. */
export function language(): string {
  return document.documentElement.lang || "en";
}

const formatters = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>();

function cached<T extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>(
  key: string,
  make: () => T,
): T {
  const full = `${language()} ${key}`;
  let formatter = formatters.get(full) as T | undefined;
  if (!formatter) {
    formatter = make();
    formatters.set(full, formatter);
  }
  return formatter;
}

/** Integers with grouping, other numbers with up to `digits` significant digits. */
export function formatNumber(value: number, digits = 6): string {
  if (!Number.isFinite(value)) {
    return String(value);
  }
  if (Number.isInteger(value)) {
    return cached("int", () => new Intl.NumberFormat(language())).format(value);
  }
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e12) {
    return value.toExponential(Math.max(0, Math.min(digits, 4) - 1)).replace(/\.?0+e/, "e");
  }
  return cached(`n${digits}`, () => new Intl.NumberFormat(language(), { maximumSignificantDigits: digits })).format(
    value,
  );
}

/** A metric in a table or on a block: four significant digits. */
export function formatMetric(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : formatNumber(value, 4);
}

export function formatPercent(value: number, digits = 1): string {
  return cached(
    `p${digits}`,
    () => new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: digits }),
  ).format(value);
}

const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < SIZES.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return cached(
    `b${unit}`,
    () =>
      new Intl.NumberFormat(language(), {
        style: "unit",
        unit: SIZES[unit],
        unitDisplay: unit === 0 ? "long" : "short",
        maximumFractionDigits: unit === 0 ? 0 : 1,
      }),
  ).format(value);
}

function unit(value: number, name: string, digits = 0): string {
  return cached(
    `u${name}${digits}`,
    () =>
      new Intl.NumberFormat(language(), {
        style: "unit",
        unit: name,
        unitDisplay: "narrow",
        maximumFractionDigits: digits,
      }),
  ).format(value);
}

/** A duration with its two largest units: "850 ms", "4.2 s", "3 min 20 s", "2 h 5 min". */
export function formatDuration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) {
    return "–";
  }
  if (seconds < 0.9995) {
    return unit(Math.max(0, Math.round(seconds * 1000)), "millisecond");
  }
  if (seconds < 59.95) {
    return unit(seconds, "second", seconds < 10 ? 1 : 0);
  }
  const whole = Math.round(seconds);
  if (whole < 3600) {
    return `${unit(Math.floor(whole / 60), "minute")} ${unit(whole % 60, "second")}`;
  }
  if (whole < 86400) {
    return `${unit(Math.floor(whole / 3600), "hour")} ${unit(Math.floor((whole % 3600) / 60), "minute")}`;
  }
  return `${unit(Math.floor(whole / 86400), "day")} ${unit(Math.floor((whole % 86400) / 3600), "hour")}`;
}

export function formatDate(iso: string | number | Date): string {
  return cached("dt", () => new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" })).format(
    new Date(iso),
  );
}

/** A time of day with seconds, for logs. */
export function formatTime(unixSeconds: number): string {
  if (!Number.isFinite(unixSeconds)) {
    return "";
  }
  return cached("t", () => new Intl.DateTimeFormat(language(), { timeStyle: "medium", hourCycle: "h23" })).format(
    new Date(unixSeconds * 1000),
  );
}

const AGES: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, "second"],
  [3600, "minute"],
  [86400, "hour"],
  [86400 * 30, "day"],
  [86400 * 365, "month"],
  [Number.POSITIVE_INFINITY, "year"],
];

/** "5 minutes ago", in words of the page's language. */
export function formatAge(iso: string, now = Date.now()): string {
  const seconds = Math.round((now - new Date(iso).getTime()) / 1000);
  let divisor = 1;
  for (const [limit, name] of AGES) {
    if (Math.abs(seconds) < limit) {
      const formatter = cached("rel", () => new Intl.RelativeTimeFormat(language(), { numeric: "auto" }));
      return formatter.format(-Math.round(seconds / divisor), name);
    }
    divisor = limit;
  }
  return formatDate(iso);
}
