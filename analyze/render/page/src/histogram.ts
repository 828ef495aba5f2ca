// The distribution of the durations of calls, of one function or of both sides of a diff.
import { scaleLinear, scaleLog } from "d3-scale";
import type { Histogram } from "./data";
import { el, svg, tips } from "./dom";
import { bottomAxis, leftAxis } from "./scales";
import { calls, count, duration, percent } from "./units";

export interface Series { name: string; class: string; data: Histogram; coarse?: boolean }
export interface Marker { name: string; at: number; class?: string }

interface Bin { low: number; high: number; calls: number[]; below: number[] }

// How many bars an octave has on a logarithmic axis; coarse: as many as rows in a heatmap.
const fine = 8, coarse = 4;

// bins sums up buckets. On a linear axis, durations beyond limit are in the last one.
function bins(series: Series[], x: string, limit: number, parts: number): Bin[] {
  const lows = series.flatMap((s) => s.data.low ?? []);
  if (lows.length === 0) return [];
  const least = Math.max(1, Math.min(...lows));
  const list = new Map<number, Bin>();
  const width = x === "linear" ? Math.max(1, Math.ceil(limit / 80)) : 0;
  const bounds = (v: number): [number, number, number] => {
    if (x === "linear") {
      const i = Math.floor(v / width);
      return [i, i * width, (i + 1) * width];
    }
    const octave = Math.floor(Math.log2(Math.max(1, v)));
    const size = 2 ** octave;
    const part = Math.min(parts - 1, Math.floor(((Math.max(1, v) - size) / size) * parts));
    return [octave * parts + part, size * (1 + part / parts), size * (1 + (part + 1) / parts)];
  };
  series.forEach((s, k) => {
    (s.data.low ?? []).forEach((low, i) => {
      const v = Math.max(x === "log" ? least : 0, (low + s.data.high![i]) / 2);
      if (x === "linear" && v > limit) return;
      const [key, from, to] = bounds(v);
      let bin = list.get(key);
      if (!bin) list.set(key, (bin = { low: from, high: to, calls: series.map(() => 0), below: series.map(() => 0) }));
      bin.calls[k] += s.data.calls![i];
    });
  });
  const sorted = [...list.values()].sort((a, b) => a.low - b.low);
  const sum = series.map(() => 0);
  for (const b of sorted) b.calls.forEach((n, k) => (b.below[k] = sum[k] += n));
  return sorted;
}

const total = (h: Histogram) => (h.calls ?? []).reduce((a, b) => a + b, 0);

// histogram draws distributions. Those of several series are shares of their calls.
export function histogram(series: Series[], markers: Marker[], x: string, y: string, width: number): HTMLElement {
  const totals = series.map((s) => total(s.data));
  const longest = Math.max(0, ...series.flatMap((s) => (s.data.high ?? []).slice(-1)));
  const shown = markers.length ? Math.max(...markers.map((m) => m.at)) : longest;
  const limit = x === "linear" ? Math.min(longest, shown * 1.1) : longest;
  const list = bins(series, x, limit, series.some((s) => s.coarse) ? coarse : fine);
  if (list.length === 0) return el("p", { class: "dim" }, "No complete call has a known duration.");

  const [left, right, top, bottom] = [58, width - 14, 62, 262];
  const first = list[0].low, last = list[list.length - 1].high;
  const sx = x === "linear" ? scaleLinear([0, Math.max(last, limit)], [left, right]) : scaleLog([first, Math.max(last, first * 2)], [left, right]).base(10);
  const value = (b: Bin, k: number) => (series.length > 1 ? b.calls[k] / Math.max(1, totals[k]) : b.calls[k]);
  const highest = Math.max(...list.flatMap((b) => b.calls.map((_, k) => value(b, k))));
  const lowest = series.length > 1 ? Math.min(...list.flatMap((b) => b.calls.map((_, k) => value(b, k)).filter((v) => v > 0))) : 0.5;
  const sy = y === "log" ? scaleLog([lowest, Math.max(highest, lowest * 2)], [bottom, top]).clamp(true) : scaleLinear([0, highest], [bottom, top]);
  const scaleY = (v: number) => (v <= 0 ? bottom : (sy as (v: number) => number)(v));
  let ticks = sy.ticks(5);
  if (y === "log") ticks = ticks.filter((t) => Math.abs(Math.log10(t) - Math.round(Math.log10(t))) < 1e-9);
  if (series.length === 1) ticks = ticks.filter((t) => Number.isInteger(t));
  const label = series.length > 1 ? "share of the calls of each" : "calls";
  const root = svg("svg", { class: "chart histogram", width, height: 304, role: "img", "aria-label": "distribution of durations" });
  root.append(leftAxis(ticks.map((t) => [scaleY(t), series.length > 1 ? percent(t, 1) : count(t)]), left, top, bottom, label));
  root.append(bottomAxis(sx as never, left, right, bottom, `duration (${x} axis)`, x === "log"));

  series.forEach((s, k) => {
    const bars = svg("g", { class: `bars ${s.class}` });
    list.forEach((b) => {
      if (b.calls[k] === 0) return;
      const from = Math.max(left, sx(Math.max(b.low, x === "log" ? first : 0))), to = Math.min(right, sx(b.high));
      const h = Math.max(1, bottom - scaleY(value(b, k)));
      bars.append(svg("rect", { x: from, y: bottom - h, width: Math.max(0.8, to - from - (to - from > 3 ? 1 : 0)), height: h }));
    });
    root.append(bars);
  });
  const hover = svg("g", { class: "hover" });
  list.forEach((b, i) => {
    const from = Math.max(left, sx(Math.max(b.low, x === "log" ? first : 0)));
    hover.append(svg("rect", { x: from, y: top, width: Math.max(1, sx(b.high) - from), height: bottom - top, "data-tip": i, "data-calls": b.calls.join(" ") }));
  });
  root.append(hover);

  const ends = [-Infinity, -Infinity, -Infinity];
  const joined: Marker[] = [];
  for (const m of markers) {
    const last = joined[joined.length - 1];
    if (last && last.at === m.at && last.class === m.class) last.name += `, ${m.name}`;
    else joined.push({ ...m });
  }
  for (const m of joined) {
    const at = sx(Math.max(m.at, x === "log" ? first : 0));
    if (!(at >= left - 1 && at <= right + 1)) continue;
    const text = m.name;
    const before = at + text.length * 6.8 > right;
    const level = ends.findIndex((e) => (before ? at - text.length * 6.8 : at) > e + 4);
    const line = level < 0 ? 2 : level;
    const y0 = 14 + line * 13;
    root.append(svg("path", { class: `marker ${m.class ?? ""}`, d: `M${at} ${y0 - 9}V${bottom}` }));
    root.append(svg("text", { x: before ? at - 3 : at + 3, y: y0, class: "marker-name", "text-anchor": before ? "end" : "start" }, text));
    ends[line] = at + (before ? 0 : text.length * 6.8);
  }
  tips(root, (key) => {
    const b = list[Number(key)];
    return [`${duration(b.low)} to ${duration(b.high)}`, ...series.map((s, k) =>
      `${s.name ? `${s.name}: ` : ""}${calls(b.calls[k])}, ${percent(b.calls[k], totals[k])}; ${percent(b.below[k], totals[k])} are not longer`)];
  });
  const beyond = series.map((_, k) => totals[k] - list.reduce((a, b) => a + b.calls[k], 0));
  const box = el("div", {}, root);
  if (series.length > 1) box.append(el("p", { class: "legend" }, ...series.map((s) => el("span", {}, el("i", { class: `swatch ${s.class}` }), `${s.name}: ${calls(total(s.data))}`))));
  if (beyond.some((n) => n > 0)) box.append(el("p", { class: "dim" }, `Beyond the right edge: ${series.map((s, k) => `${s.name ? `${s.name} ` : ""}${calls(beyond[k])}`).join(", ")}, up to ${duration(longest)}.`));
  return box;
}

// sparkline draws a distribution by octaves lowest to highest.
export function sparkline(h: Histogram, lowest: number, highest: number): SVGSVGElement {
  const n = Math.max(1, highest - lowest + 1);
  const sums = new Array<number>(n).fill(0);
  (h.low ?? []).forEach((low, i) => { sums[Math.min(n - 1, Math.max(0, octave(low) - lowest))] += h.calls![i]; });
  const most = Math.max(1, ...sums);
  const wide = 110 / n;
  let d = "";
  sums.forEach((s, i) => {
    if (s > 0) { const high = Math.max(1.5, (16 * s) / most); d += `M${(i * wide).toFixed(1)} ${(17 - high).toFixed(1)}h${Math.max(1, wide - 0.7).toFixed(1)}v${high.toFixed(1)}h${(-Math.max(1, wide - 0.7)).toFixed(1)}z`; }
  });
  return svg("svg", { class: "spark", width: 110, height: 18, "aria-hidden": "true" }, svg("path", { d }));
}

export function octave(ns: number): number { return Math.floor(Math.log2(Math.max(1, ns))); }
