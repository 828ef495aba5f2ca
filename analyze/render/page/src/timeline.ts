// Slow calls over time: a row for each thread, calls nested, waits, and who ended them.
import { scaleLinear } from "d3-scale";
import { Colours } from "./colour";
import type { Call, Wait } from "./data";
import { el, svg, tips } from "./dom";
import { bottomAxis } from "./scales";
import type { Page } from "./state";
import { duration } from "./units";

interface Span { fn: number; start: number; end: number; duration: number; wait: Wait | null; depth: number; call: Call }

const rowHeight = 17;
const maxSpans = 12_000;

// spansOf are the spans of calls by thread, each once. A slow call may be inside another one.
function spansOf(calls: Call[]): Map<string, Span[]> {
  const threads = new Map<string, Map<string, Span>>();
  for (const c of calls) {
    const key = `${c.file ?? ""}\0${c.pid}\0${c.thread}`;
    let seen = threads.get(key);
    if (!seen) threads.set(key, (seen = new Map()));
    let waits = 0;
    c.spans.function.forEach((fn, i) => {
      const wait = fn < 0 ? c.spans.waits![waits++] : null;
      const span = { fn, start: c.start + c.spans.start[i], end: c.start + c.spans.end[i], duration: c.spans.duration[i], wait, depth: 0, call: c };
      const id = `${fn} ${span.start} ${span.end}`;
      const known = seen!.get(id);
      if (!known || i === 0) seen!.set(id, span);
    });
  }
  const out = new Map<string, Span[]>();
  for (const [key, seen] of threads) {
    // Waits come after calls of the same time: they are inside these.
    const list = [...seen.values()].sort((a, b) => a.start - b.start || Number(!!a.wait) - Number(!!b.wait) || b.end - a.end);
    const open: Span[] = [];
    for (const s of list) {
      while (open.length && (open[open.length - 1].end <= s.start && !(open[open.length - 1].end === s.end && s.end === s.start))) open.pop();
      s.depth = open.length;
      if (!s.wait) open.push(s);
    }
    out.set(key, list);
  }
  return out;
}

// timeline draws calls from one time to another. Times are written from an origin on.
export function timeline(page: Page, calls: Call[], from: number, to: number, origin: { at: number; name: string }, width: number, zoom?: (from: number, to: number) => void): HTMLElement {
  const { data } = page;
  const threads = [...spansOf(calls)].sort(([, a], [, b]) => {
    const [x, y] = [a[0].call, b[0].call];
    return (x.file ?? "").localeCompare(y.file ?? "") || x.pid - y.pid || x.tid - y.tid || x.thread.localeCompare(y.thread, "en", { numeric: true });
  });
  const left = Math.min(150, width / 5), right = width - 10;
  to = Math.max(to, from + 1);
  const sx = scaleLinear([from, to], [left, right]);
  const colours = new Colours(data, calls.flatMap((c) => c.spans.function.filter((fn) => fn >= 0)));
  const tipLines: string[][] = [];
  const tip = (lines: string[]) => tipLines.push(lines) - 1;
  const root = svg("svg", { class: "chart timeline", width, role: "img", tabindex: zoom ? 0 : undefined, "aria-label": "calls over time" });
  const ground = svg("g"), bars = svg("g"), arrows = svg("g", { class: "arrows" });
  root.append(ground, bars, arrows);
  let y = 8;
  let skipped = 0;
  const woken: { x: number; y: number; tid: number; key: string }[] = [];
  const rowOf = new Map<string, number>();
  const kinds = new Set<string>();
  for (const [, spans] of threads) {
    const all = spans.filter((s) => s.end >= from && s.start <= to);
    if (all.length === 0) continue;
    // Outer calls first: where there are too many, the innermost are left out.
    const ends: number[] = []; // by depth: the right edge of what is drawn
    const visible = all.sort((a, b) => a.depth - b.depth || a.start - b.start).filter((s) => {
      const x0 = Math.max(left, sx(s.start)), x1 = Math.min(right, sx(s.end));
      if (x1 < left || x0 > right || (x1 - x0 < 1 && x1 < (ends[s.depth] ?? 0) + 0.5)) return false; // another one has this pixel
      ends[s.depth] = Math.max(x1, x0 + 0.7);
      return true;
    });
    const room = Math.max(200, Math.floor(maxSpans / threads.length));
    skipped += Math.max(0, visible.length - room);
    visible.length = Math.min(visible.length, room);
    const deepest = Math.max(...visible.map((s) => s.depth));
    const c = visible[0].call;
    rowOf.set(`${c.file ?? ""}\0${c.tid}`, y);
    root.append(svg("text", { x: 4, y: y + 13, class: "thread" }, cut(c.thread, Math.floor(left / 7.3))));
    if (c.process && deepest > 0) root.append(svg("text", { x: 4, y: y + 28, class: "dim" }, cut(`process ${c.pid}`, Math.floor(left / 7.3))));
    for (const s of visible) {
      const x0 = Math.max(left, sx(s.start)), x1 = Math.min(right, sx(s.end));
      const top = y + s.depth * rowHeight;
      const wide = Math.max(0.7, x1 - x0);
      if (s.wait) {
        const w = s.wait;
        const wake = Math.min(right, Math.max(left, sx(s.end - w.runnable)));
        const t = tip([`waited ${duration(w.blocked + w.runnable + w.unknown)}`, w.blocked ? `blocked ${duration(w.blocked)}${w.waker ? `, ${w.waker}` : ""}` : "", w.runnable ? `waiting for a processor ${duration(w.runnable)}` : "", w.unknown ? `not known ${duration(w.unknown)}` : "", `${duration(s.start)} to ${duration(s.end)} after the start`]);
        if (w.blocked) { bars.append(svg("rect", { class: "wait blocked", x: x0, y: top, width: Math.max(0.7, Math.min(wake, x1) - x0), height: rowHeight - 2, "data-tip": t })); kinds.add("blocked"); }
        if (w.runnable) { bars.append(svg("rect", { class: "wait runnable", x: w.blocked ? wake : x0, y: top, width: Math.max(0.7, x1 - (w.blocked ? wake : x0)), height: rowHeight - 2, "data-tip": t })); kinds.add("runnable"); }
        if (w.unknown) { bars.append(svg("rect", { class: "wait unknown", x: x0, y: top, width: wide, height: rowHeight - 2, "data-tip": t })); kinds.add("unknown"); }
        if (w.tid && w.waker) woken.push({ x: wake, y: top, tid: w.tid, key: c.file ?? "" });
        continue;
      }
      const lines = [data.names[s.fn], s.duration >= 0 ? `took ${duration(s.duration)}` : s.end === s.start ? "a hit of a point" : "its return was not seen", `${duration(s.start)} to ${duration(s.end)} after the start, as measured`];
      const unended = s.duration < 0 && s.end > s.start;
      if (unended) kinds.add("unended");
      const g = svg("g", { class: `frame ${colours.of(s.fn)}${unended ? " unended" : ""}`, "data-tip": tip(lines) }, svg("rect", { x: x0, y: top, width: Math.max(0.7, wide - 0.4), height: rowHeight - 2 }));
      const letters = Math.floor((wide - 6) / 7.3);
      if (letters >= 3) g.append(svg("text", { x: x0 + 3, y: top + 12 }, cut(data.names[s.fn], letters)));
      bars.append(g);
    }
    y += (deepest + 2) * rowHeight;
    ground.append(svg("path", { class: "line", d: `M0 ${y - rowHeight / 2}H${width}` }));
  }
  const bottom = y + 4;
  let lost = false;
  for (const l of data.trace.losses) {
    if (l.to_ns < from || l.from_ns > to || calls.some((c) => c.file)) continue;
    lost = true;
    const x = Math.max(left, sx(l.from_ns));
    ground.append(svg("rect", { class: "loss", x, y: 0, width: Math.max(1.5, Math.min(right, sx(l.to_ns)) - x), height: bottom, "data-tip": tip(["events were lost", `${l.entries + l.returns} events, ${duration(l.from_ns)} to ${duration(l.to_ns)} after the start`]) }));
  }
  let arrowed = false;
  for (const w of woken) {
    const by = rowOf.get(`${w.key}\0${w.tid}`);
    if (by === undefined || by === w.y || w.x < left || w.x > right) continue;
    arrowed = true;
    const end = by < w.y ? w.y : w.y + rowHeight - 2;
    arrows.append(svg("path", { d: `M${w.x} ${by + rowHeight / 2}V${end}` }), svg("path", { class: "head", d: by < w.y ? `M${w.x - 3.5} ${end - 6}h7l-3.5 6z` : `M${w.x - 3.5} ${end + 6}h7l-3.5 -6z` }));
  }
  root.append(bottomAxis(scaleLinear([from - origin.at, to - origin.at], [left, right]) as never, left, right, bottom, origin.name));
  root.setAttribute("height", String(bottom + 42));
  tips(root, (key) => tipLines[Number(key)]);

  if (zoom) {
    const move = (a: number, b: number) => zoom(Math.max(0, a), Math.max(a + 1, b));
    root.addEventListener("wheel", (e) => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      const at = sx.invert(Math.min(right, Math.max(left, e.clientX - root.getBoundingClientRect().left)));
      const f = e.deltaY > 0 ? 1.25 : 0.8;
      move(at - (at - from) * f, at + (to - at) * f);
    }, { passive: false });
    let begun = -1;
    const mark = svg("rect", { class: "brush", visibility: "hidden", y: 0, height: bottom });
    root.append(mark);
    const px = (e: PointerEvent) => Math.min(right, Math.max(left, e.clientX - root.getBoundingClientRect().left));
    root.addEventListener("pointerdown", (e) => { begun = px(e); root.setPointerCapture(e.pointerId); });
    root.addEventListener("pointermove", (e) => {
      if (begun < 0) return;
      mark.setAttribute("x", String(Math.min(begun, px(e))));
      mark.setAttribute("width", String(Math.abs(px(e) - begun)));
      mark.setAttribute("visibility", "visible");
    });
    root.addEventListener("pointerup", (e) => {
      const [a, b] = [Math.min(begun, px(e)), Math.max(begun, px(e))];
      begun = -1;
      mark.setAttribute("visibility", "hidden");
      if (b - a > 4) move(sx.invert(a), sx.invert(b));
    });
    root.addEventListener("keydown", (e) => {
      const long = to - from;
      const change: Record<string, [number, number]> = { ArrowLeft: [-long / 4, -long / 4], ArrowRight: [long / 4, long / 4], "+": [long / 4, -long / 4], "-": [-long / 2, long / 2] };
      const c = change[e.key];
      if (c) { e.preventDefault(); move(from + c[0], to + c[1]); }
    });
  }
  const legend = colours.legend();
  const kind = (cls: string, text: string) => el("span", {}, el("i", { class: `swatch ${cls}` }), text);
  if (kinds.has("blocked")) legend.append(kind("wait blocked", "blocked"));
  if (kinds.has("runnable")) legend.append(kind("wait runnable", "waiting for a processor"));
  if (kinds.has("unknown")) legend.append(kind("wait unknown", "not known"));
  if (kinds.has("unended")) legend.append(kind("unended", "return not seen: drawn to the last known time"));
  if (arrowed) legend.append(el("span", {}, "↕ from the waker to the woken thread"));
  if (lost) legend.append(kind("loss", "events were lost"));
  if (skipped) legend.append(el("span", { class: "dim" }, `${skipped} inner calls are not drawn: zoom in`));
  if (rowOf.size === 0) legend.append(el("span", {}, "None of these calls is in this stretch of time: zoom out."));
  return el("div", {}, el("div", { class: "picture" }, root), legend);
}

function cut(text: string, room: number): string {
  const chars = [...text];
  return chars.length > room ? `${chars.slice(0, Math.max(1, room - 1)).join("")}…` : text;
}

// timelineView shows all slow calls of the page.
export function timelineView(page: Page, width: number): HTMLElement {
  const { data, state: s } = page;
  const all: Call[] = [];
  const wanted = s.q.toLowerCase();
  data.rows.detail.forEach((d, r) => {
    if (d < 0 || data.rows.detail.indexOf(d) !== r) return;
    if (wanted && !data.rows.label[r].toLowerCase().includes(wanted)) return;
    all.push(...(data.details![d].slowest ?? []));
  });
  const search = el("input", { type: "search", id: "search", placeholder: "Search functions  ( / )", value: s.q, "aria-label": "search functions", spellcheck: "false" });
  search.addEventListener("input", () => { page.state.q = search.value; page.go({ q: search.value }); });
  if (all.length === 0) return el("section", { class: "view" }, el("div", { class: "tools" }, search), el("p", { class: "dim" }, "No complete call to show."));
  const first = Math.min(...all.map((c) => c.start)), last = Math.max(...all.map((c) => c.start + c.spans.end[0]));
  const sel = s.to > 0;
  const from = s.t1 > 0 ? s.t0 : sel ? s.from : first, to = s.t1 > 0 ? s.t1 : sel ? s.to : last;
  const threads = new Set(all.map((c) => `${c.file}\0${c.pid}\0${c.thread}`)).size;
  const tools = el("div", { class: "tools" }, search,
    el("button", { type: "button", id: "all-time", onclick: () => page.go({ t0: 0, t1: 0 }) }, sel ? "Selected time" : "All"),
    el("button", { type: "button", onclick: () => page.go({ t0: Math.max(0, from - (to - from) / 2), t1: to + (to - from) / 2 }) }, "Zoom out"),
    el("span", { class: "dim" }, `${duration(from)} to ${duration(to)} after the start`));
  return el("section", { class: "view" }, tools,
    el("p", {}, `A selection: the slowest calls of each function, ${all.length} in ${threads} thread${threads === 1 ? "" : "s"}, each with the longest calls and waits inside it. Where nothing is drawn, calls may have run that were faster.`),
    timeline(page, all, from, to, { at: 0, name: "after the start of the trace" }, width, (a, b) => page.go({ t0: Math.round(a), t1: Math.round(b) })),
    el("p", { class: "dim" }, "Drag to zoom in; Ctrl and the wheel, or + − ← → after a click, zoom and move."));
}
