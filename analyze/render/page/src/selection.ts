// A time that is selected in a heatmap, and what the heatmaps of functions say about it.
import type { Data, Heatmap, Histogram } from "./data";
import type { State } from "./state";

// calls of all that the heatmap has, and their quantiles.
export interface Selected { calls: number; all: number; p50: number; p90: number; p99: number; max: number }

export function active(s: State): boolean { return s.to > 0; }

// inTime is the part of a slice of a heatmap in the selected time.
function inTime(m: Heatmap, slice: number, s: State): number {
  const from = m.from + slice * m.slice, to = from + m.slice;
  return Math.max(0, Math.min(to, s.to) - Math.max(from, s.from)) / m.slice;
}

// selected sums up the calls of a function that began in the selected time. Durations are the middles
// of rows of the heatmap: they may be off by a tenth.
export function selected(data: Data, row: number, s: State): Selected | null {
  const d = data.rows.detail[row];
  if (d < 0) return null;
  const m = data.details![d].heatmap;
  const sums: [number, number][] = [];
  let all = 0;
  (m.low ?? []).forEach((low, r) => {
    if (row === s.of && s.high > 0 && (m.high![r] < s.low || low > s.high)) return;
    let n = 0;
    for (let i = 0; i < m.slices; i++) {
      const c = m.calls![r * m.slices + i];
      if (c > 0) n += c * inTime(m, i, s);
    }
    sums.push([(low + m.high![r]) / 2, n]);
    all += n;
  });
  const quantile = (q: number) => {
    let seen = 0;
    for (const [at, n] of sums) if ((seen += n) >= q * all && n > 0) return at;
    return 0;
  };
  return { calls: Math.round(all), all: (m.calls ?? []).reduce((a, b) => a + b, 0), p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), max: quantile(1) };
}

// selectedHistogram is the distribution of the selected calls of a row, as coarse as its heatmap.
export function selectedHistogram(m: Heatmap, row: number, s: State): Histogram {
  const out = { low: [] as number[], high: [] as number[], calls: [] as number[] };
  (m.low ?? []).forEach((low, r) => {
    if (row === s.of && s.high > 0 && (m.high![r] < s.low || low > s.high)) return;
    let n = 0;
    for (let i = 0; i < m.slices; i++) n += m.calls![r * m.slices + i] * inTime(m, i, s);
    if (Math.round(n) === 0) return;
    out.low.push(low);
    out.high.push(m.high![r]);
    out.calls.push(Math.round(n));
  });
  return out;
}

// holds reports whether a call of a row is in the selection.
export function holds(s: State, row: number, start: number, duration: number): boolean {
  if (!active(s)) return true;
  return start >= s.from && start < s.to && !(row === s.of && s.high > 0 && (duration < s.low || duration > s.high));
}
