// How figures are written: as utrace's report does.

// duration writes nanoseconds in us, ms or s with three decimals.
export function duration(ns: number): string {
  if (ns < 0) return `-${duration(-ns)}`;
  if (ns < 1e6) return `${(Math.trunc(ns) / 1e3).toFixed(3)} us`;
  if (ns < 1e9) return `${(Math.trunc(ns / 1e3) / 1e3).toFixed(3)} ms`;
  return `${(Math.trunc(ns / 1e6) / 1e3).toFixed(3)} s`;
}

const units: [number, string][] = [[1e9, "s"], [1e6, "ms"], [1e3, "us"], [1, "ns"]];

// short writes a round number of nanoseconds for an axis, with the digits that tell apart ticks at
// a distance of step.
export function short(ns: number, step = 0): string {
  const [size, unit] = units.find(([size]) => Math.abs(ns) >= size) ?? [1, "ns"];
  const digits = step > 0 ? Math.max(0, Math.ceil(Math.log10(size / step) - 1e-9)) : 0;
  return `${digits > 3 ? (ns / size).toFixed(digits) : +(ns / size).toPrecision(4)} ${unit}`;
}

const whole = new Intl.NumberFormat("en-US");

// count writes a whole number with separators.
export function count(n: number): string { return whole.format(n); }

export function nanoseconds(ns: number): string { return `${count(ns)} ns`; }

// calls writes a number of calls.
export function calls(n: number): string { return n === 1 ? "1 call" : `${count(n)} calls`; }

export function percent(part: number, all: number): string {
  if (!(all > 0)) return "0%";
  const p = (100 * part) / all;
  return p !== 0 && Math.abs(p) < 0.1 ? `${p.toPrecision(1)}%` : `${p.toFixed(1)}%`;
}
