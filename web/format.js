// How numbers, times and sizes are written: short, and the same everywhere on the page.

export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s}s`;
  const two = (n) => String(n).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${two(Math.floor((s % 3600) / 60))}m`;
  return `${Math.floor(s / 86400)}d ${two(Math.floor((s % 86400) / 3600))}h`;
}

export function ago(ms, now) {
  const s = Math.floor((now - ms) / 1000);
  if (s < 5) return "just now";
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} d ago`;
}

export function clock(ms) {
  return ms === null || ms === undefined ? "–" : new Date(ms).toLocaleString();
}

export function bytes(count) {
  if (!count) return "0 B";
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log2(count) / 10));
  return `${number(count / 2 ** (10 * step))} ${units[step]}`;
}

export function number(value) {
  if (value >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en-GB");
  return String(Number(value.toFixed(value < 10 ? 2 : 1)));
}

export function rate(value, unit) {
  const prefixes = ["", "k", "M", "G", "T", "P", "E"];
  const step = value > 0 ? Math.min(prefixes.length - 1, Math.max(0, Math.floor(Math.log10(value) / 3))) : 0;
  return `${Number((value / 1000 ** step).toPrecision(3))} ${prefixes[step]}${unit}`;
}

export function plural(count, one, many) {
  return `${number(count)} ${count === 1 ? one : many}`;
}
