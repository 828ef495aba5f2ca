// How the latency of a function changes over time. A drag selects a time and durations.
import { scaleLinear } from "d3-scale";
import type { Heatmap } from "./data";
import { el, hideTip, showTip, svg } from "./dom";
import { bottomAxis, leftAxis } from "./scales";
import type { Page } from "./state";
import { calls, count, duration, percent, short } from "./units";

// shades is the number of colours for more and more calls, on a logarithmic scale.
const shades = 9;

// heatmap draws a heatmap. covered has the thousandths of each slice in which the function was probed.
export function heatmap(page: Page, row: number, m: Heatmap, covered: number[] | null, width: number): HTMLElement {
  if (!m.low || m.low.length === 0) return el("p", { class: "dim" }, "No complete call has a known duration.");
  const rows = m.low.length;
  const cell = Math.max(5, Math.min(18, Math.floor(236 / rows)));
  const [left, right, top] = [70, width - 14, 26];
  const bottom = top + rows * cell;
  const wide = (right - left) / m.slices;
  const highest = Math.max(...m.calls!);
  const shade = (n: number) => (highest <= 1 ? shades - 1 : Math.min(shades - 1, Math.floor((Math.log(n) / Math.log(highest)) * (shades - 1))));
  const root = svg("svg", { class: "chart heatmap", width, height: bottom + 42, role: "img", tabindex: 0, "aria-label": "latency over time; drag to select" });
  root.append(svg("rect", { class: "ground", x: left, y: top, width: right - left, height: bottom - top }));
  const cells = svg("g");
  m.low.forEach((_, r) => {
    for (let i = 0; i < m.slices; i++) {
      const n = m.calls![r * m.slices + i];
      if (n > 0) cells.append(svg("rect", { class: `h${shade(n)}`, x: left + i * wide, y: bottom - (r + 1) * cell, width: Math.max(1, wide - 0.5), height: cell - (cell > 7 ? 0.5 : 0), "data-calls": n }));
    }
  });
  root.append(cells);
  covered?.forEach((part, i) => {
    if (part > 0) root.append(svg("rect", { class: "covered", x: left + i * wide, y: bottom + 1, width: wide, height: 4, "fill-opacity": part / 1000, "data-covered": part }));
  });
  const marks: [number, string][] = m.low.map((low, r) => [bottom - r * cell, short(low)] as [number, string]);
  root.append(leftAxis(marks.filter((_, r) => r % Math.max(1, Math.ceil(16 / cell)) === 0), left, top, bottom, "duration (log axis)"));
  const end = m.from + m.slices * m.slice;
  const sx = scaleLinear([m.from, end], [left, right]);
  root.append(bottomAxis(sx as never, left, right, bottom, "began, after the start of the trace"));

  const s = page.state;
  const mark = svg("rect", { class: "brush", visibility: "hidden" });
  root.append(mark);
  const place = (x0: number, x1: number, y0: number, y1: number) => {
    for (const [k, v] of Object.entries({ x: x0, y: y0, width: Math.max(1, x1 - x0), height: Math.max(1, y1 - y0), visibility: "visible" })) mark.setAttribute(k, String(v));
  };
  if (s.to > 0) {
    const [x0, x1] = [Math.max(left, sx(s.from)), Math.min(right, sx(s.to))];
    let [y0, y1] = [top, bottom];
    if (row === s.of && s.high > 0) {
      const r0 = m.low.findIndex((_, r) => m.high![r] >= s.low);
      const r1 = m.low.length - 1 - [...m.low].reverse().findIndex((low) => low <= s.high);
      [y0, y1] = [bottom - (r1 + 1) * cell, bottom - r0 * cell];
    }
    if (x1 > x0) place(x0, x1, y0, y1);
  }
  const at = (event: PointerEvent) => {
    const box = root.getBoundingClientRect();
    const x = Math.min(Math.max(event.clientX - box.left, left), right - 0.01), y = Math.min(Math.max(event.clientY - box.top, top + 0.01), bottom);
    return { slice: Math.floor((x - left) / wide), r: Math.floor((bottom - y) / cell) };
  };
  let begun: { slice: number; r: number } | null = null;
  root.addEventListener("pointerdown", (event) => {
    begun = at(event);
    root.setPointerCapture(event.pointerId);
    event.preventDefault();
    root.focus();
  });
  root.addEventListener("pointermove", (event) => {
    const now = at(event);
    if (begun) {
      const [a, b, c, d] = [Math.min(begun.slice, now.slice), Math.max(begun.slice, now.slice), Math.min(begun.r, now.r), Math.max(begun.r, now.r)];
      place(left + a * wide, left + (b + 1) * wide, bottom - (d + 1) * cell, bottom - c * cell);
    }
    const n = m.calls![now.r * m.slices + now.slice];
    const from = m.from + now.slice * m.slice;
    showTip(event, [`${calls(n)} of ${duration(m.low![now.r])} to ${duration(m.high![now.r])}`, `began ${duration(from)} to ${duration(from + m.slice)} after the start`, covered ? `the function was probed for ${percent(covered[now.slice] ?? 0, 1000)} of this time` : ""]);
  });
  root.addEventListener("pointerleave", hideTip);
  root.addEventListener("pointerup", (event) => {
    if (!begun) return;
    const now = at(event);
    const [a, b, c, d] = [Math.min(begun.slice, now.slice), Math.max(begun.slice, now.slice), Math.min(begun.r, now.r), Math.max(begun.r, now.r)];
    begun = null;
    const whole = c === 0 && d === rows - 1;
    page.go({ from: m.from + a * m.slice, to: m.from + (b + 1) * m.slice, low: whole ? 0 : m.low![c], high: whole ? 0 : m.high![d], of: row }, true);
  });
  // Without a pointer: arrows move the selected time by a slice, and change its length with shift.
  root.addEventListener("keydown", (event) => {
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const step = event.key === "ArrowLeft" || event.key === "ArrowDown" ? -m.slice : m.slice;
    if (s.to === 0) return page.go({ from: m.from, to: m.from + m.slice, low: 0, high: 0, of: row });
    const from = event.shiftKey ? s.from : Math.max(m.from, s.from + step);
    page.go({ from, to: Math.max(from + m.slice, Math.min(end, s.to + step)), of: row });
  });

  const legend = el("p", { class: "legend" }, el("span", {}, "1 call ", ...Array.from({ length: shades }, (_, i) => el("i", { class: `swatch h${i}` })), ` ${count(highest)} calls a cell (log scale)`),
    el("span", { class: "dim" }, `A cell is ${duration(m.slice)} wide. Drag to select.`));
  const box = el("div", {}, root, legend);
  if (m.sampled) box.append(el("p", { class: "legend" }, el("span", {}, el("i", { class: "swatch covered" }), "when utrace probed the function: its calls at other times are not in the trace")));
  if (m.uncertain > 0) box.append(el("p", { class: "dim" }, `${calls(m.uncertain)} during which events were lost are not here.`));
  return box;
}
