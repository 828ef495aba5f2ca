// What changed from one side of a comparison to the other.
import type { Edges, Metric, Tree } from "./data";
import { choice, el, exact, table } from "./dom";
import { flame, frames, type Frame } from "./flame";
import { matcher } from "./functions";
import { histogram } from "./histogram";
import type { Page } from "./state";
import { summary } from "./summary";
import { calls, count, duration, nanoseconds } from "./units";

const metrics: [string, string][] = [["calls", "Calls"], ["total", "Total time"], ["self", "Self time"], ["avg", "Avg"], ["p50", "P50"], ["p90", "P90"], ["p99", "P99"], ["max", "Max"]];
const inTable = ["calls", "total", "self", "p50", "p99"];

const write = (metric: string, v: number) => (metric === "calls" ? count(v) : duration(v));
const writeExact = (metric: string, v: number) => (metric === "calls" ? calls(v) : nanoseconds(v));

const metric = (page: Page, key: string, row: number) => (page.data.functions.metrics[row] as unknown as Record<string, Metric>)[key];
const stateOf = (page: Page, row: number) => page.data.functions.state[row] as string;
const significant = (page: Page, row: number) => page.data.functions.significant[row] as boolean;

// change writes the change of a metric, with * if it is significant.
function change(page: Page, key: string, row: number): string {
  const m = metric(page, key, row), state = stateOf(page, row);
  if (state !== "both") return state;
  if (!m.comparable || (m.old === 0 && m.new === 0)) return "-";
  const c = m.change_percent;
  return `${c === null ? "more" : `${c < 0 ? "" : "+"}${c.toFixed(1)}%`}${m.significant ? "*" : ""}`;
}

function changeCell(page: Page, key: string, row: number): HTMLTableCellElement {
  const m = metric(page, key, row);
  const tone = m.significant ? (m.new > m.old ? " worse" : " better") : "";
  const title = m.significant ? `significant: P ${m.p.toPrecision(2)}` : m.tested ? `not more than noise: P ${m.p.toPrecision(2)}` : "not tested";
  return el("td", { class: `n${tone}`, title }, change(page, key, row));
}

function value(page: Page, key: string, side: "old" | "new", row: number): HTMLTableCellElement {
  const m = metric(page, key, row);
  if (stateOf(page, row) === (side === "old" ? "new" : "gone")) return el("td", { class: "n dim" }, "-");
  return exact(write(key, m[side]), writeExact(key, m[side]), { "data-value": m[side] });
}

export function diffTable(page: Page): HTMLElement {
  const { data, state: s } = page;
  const search = el("input", { type: "search", id: "search", placeholder: "Search functions  ( / )", value: s.q, "aria-label": "search functions", spellcheck: "false" });
  search.addEventListener("input", () => { page.state.q = search.value; page.go({ q: search.value }); });
  const match = matcher(s.q);
  let rows = data.rows.label.map((_, r) => r).filter((r) => match(data.rows.label[r]) && (!s.errors || significant(page, r)));
  const [key, side] = s.sort.split(".");
  const sorted = inTable.includes(key) && !!side;
  if (sorted) {
    const of = (r: number) => { const m = metric(page, key, r); return side === "change" ? m.new - m.old : side === "old" ? m.old : m.new; };
    rows = rows.sort((a, b) => (s.up ? 1 : -1) * (of(a) - of(b)) || a - b);
  }
  const head = (key: string, title: string, help: string) => el("th", { scope: "col", class: "n", "aria-sort": s.sort === key ? (s.up ? "ascending" : "descending") : "none" },
    el("button", { type: "button", title: help, "data-sort": key, onclick: () => page.go({ sort: key, up: s.sort === key ? !s.up : false }) }, title, s.sort === key ? (s.up ? " ▲" : " ▼") : ""));
  const titles = new Map(metrics);
  const t = el("table", { class: "functions diff" }, el("thead", {},
    el("tr", {}, el("th"), ...inTable.map((k) => el("th", { colspan: 3, class: "group" }, titles.get(k)!))),
    el("tr", {}, el("th", { scope: "col" }, el("button", { type: "button", "data-sort": "total_ns", title: "significant changes first, then the larger change of self time", onclick: () => page.go({ sort: "total_ns", up: false }) }, `Function${sorted ? "" : " ▼"}`)),
      ...inTable.flatMap((k) => [head(`${k}.old`, "old", `${titles.get(k)} of the old side, per trace where it is a sum`), head(`${k}.new`, "new", `${titles.get(k)} of the new side`), head(`${k}.change`, "change", "sort by the difference")]))),
    el("tbody", {}, ...rows.slice(0, 1000).map((r) => el("tr", { "data-row": r, "aria-selected": r === s.row ? "true" : undefined, onclick: () => page.go({ view: "function", row: r }, true) },
      el("th", { scope: "row", class: "name", title: data.rows.label[r] }, el("a", { href: "#", onclick: (e) => e.preventDefault() }, data.rows.mark[r] ? "~" : "", data.rows.label[r])),
      ...inTable.flatMap((k) => [value(page, k, "old", r), value(page, k, "new", r), changeCell(page, k, r)])))));
  return el("section", { class: "view" }, el("div", { class: "tools" }, search,
    choice("changes", [["", "all"], ["1", "significant"]], s.errors ? "1" : "", (v) => page.go({ errors: v === "1" })),
    el("span", { class: "dim" }, `${count(rows.length)} of ${count(data.rows.label.length)} functions; ${count(data.rows.label.filter((_, r) => significant(page, r)).length)} changed significantly (*)`)),
    el("div", { class: "scroll" }, t), rows.length > 1000 ? el("p", { class: "dim" }, "The first 1,000 are shown: search for others.") : null);
}

export function diffFunction(page: Page, width: number): HTMLElement {
  const { data, state: s } = page;
  const d = data.comparison!, r = s.row;
  if (r < 0 || r >= data.rows.label.length) return el("section", { class: "view" }, el("p", { class: "dim" }, "Choose a function in the table."));
  const lines = metrics.map(([k, title]) => {
    const m = metric(page, k, r);
    const b = m.beyond_percent;
    return [title, value(page, k, "old", r), value(page, k, "new", r), changeCell(page, k, r), b === null ? "-" : `${b < 0 ? "" : "+"}${b.toFixed(1)}%`, m.tested ? m.p.toPrecision(2) : "-", m.significant ? "yes" : "no"];
  });
  const markers = (["old", "new"] as const).flatMap((side) => (stateOf(page, r) === (side === "old" ? "new" : "gone") ? [] : [["p50", "P50"], ["p99", "P99"]].map(([k, n]) => ({ name: `${n} ${side}`, at: metric(page, k, r)[side], class: side })))).filter((m) => m.at > 0);
  const two = width >= 1300;
  const chart = two ? Math.floor((width - 28) / 2) : width;
  const fn = data.rows.function[r];
  return el("section", { class: "view", "data-function": data.rows.label[r] }, el("h2", { class: "name" }, data.rows.label[r]),
    el("p", { class: "dim" }, data.modules[data.module_of[fn]]),
    el("div", { class: two ? "two" : "" },
      el("div", {}, el("h3", {}, "Distribution of durations, old and new ", choice("durations", [["log", "log"], ["linear", "linear"]], s.x, (v) => page.go({ x: v })), choice("calls", [["linear", "linear"], ["log", "log"]], s.y, (v) => page.go({ y: v }))),
        histogram([{ name: "old", class: "s-old", data: d.old_histogram[r] }, { name: "new", class: "s-new", data: d.new_histogram[r] }], markers, s.x, s.y, chart)),
      el("div", {}, el("h3", {}, "Figures"), el("div", { class: "scroll" }, table(["", "Old", "New", "Change", "Without the shift", "By chance", "Significant"], lines, [false, true, true, true, true, true, false])),
        el("p", { class: "dim" }, "Calls and sums are per trace. The shift is the change that all functions share: it counts as the machine's. By chance: the probability that noise alone makes any function show as clear a change."))),
    el("div", { class: width >= 1100 ? "two" : "" }, el("div", {}, ...neighbours(page, fn, true)), el("div", {}, ...neighbours(page, fn, false))));
}

// Calls of one function by another, per trace, on both sides.
interface Pair { other: number; calls: [number, number]; total: [number, number] }

// pairs are the callers or the callees of a function, most time first.
function pairs(page: Page, fn: number, callers: boolean): Pair[] {
  const d = page.data.comparison!;
  const by = new Map<number, Pair>();
  const add = (e: Edges, side: 0 | 1, traces: number) => (callers ? e.callee : e.caller)?.forEach((f, i) => {
    if (f !== fn) return;
    const other = callers ? e.caller![i] : e.callee[i];
    const p = by.get(other) ?? { other, calls: [0, 0], total: [0, 0] };
    p.calls[side] += e.calls[i] / traces;
    p.total[side] += e.total[i] / traces;
    by.set(other, p);
  });
  add(d.old_edges, 0, d.old_traces);
  add(d.new_edges, 1, d.new_traces);
  return [...by.values()].sort((a, b) => Math.max(...b.total) - Math.max(...a.total) || Math.max(...b.calls) - Math.max(...a.calls) || a.other - b.other);
}

function neighbours(page: Page, fn: number, callers: boolean): HTMLElement[] {
  const { data } = page;
  const list = pairs(page, fn, callers);
  const title = el("h3", {}, callers ? "Callers" : "Callees", el("span", { class: "dim" }, " per trace, not tested for significance"));
  if (list.length === 0) return [title, el("p", { class: "dim" }, callers ? "None in the traces." : "No traced callee.")];
  const changed = ([before, now]: [number, number]) => (before === now ? "=" : before === 0 ? "new" : now === 0 ? "gone" : `${now > before ? "+" : ""}${((100 * (now - before)) / before).toFixed(1)}%`);
  const lines = list.slice(0, 50).map((p) => {
    const to = data.rows.function.indexOf(p.other);
    const name = p.other < 0 ? "(no traced caller)" : data.names[p.other];
    const link = to < 0 ? el("span", {}, name) : el("a", { href: "#", onclick: (e) => { e.preventDefault(); page.go({ row: to }, true); } }, name);
    const number = (n: number) => exact(count(Math.round(n)), calls(Math.round(n)), { "data-value": n });
    const time = (ns: number) => exact(duration(ns), nanoseconds(Math.round(ns)));
    return [el("td", { class: "name", title: name }, link), ...p.calls.map(number), changed(p.calls), ...p.total.map(time), changed(p.total)];
  });
  return [title, el("div", { class: "scroll" }, table([callers ? "Caller" : "Callee", "Old calls", "New calls", "Change", "Old time", "New time", "Change"], lines, [false, true, true, true, true, true, true], { class: callers ? "callers" : "callees" })),
    ...(list.length > 50 ? [el("p", { class: "dim" }, `and ${list.length - 50} more`)] : [])];
}

// merge makes one tree of both. Times are per trace.
function merge(now: Tree, before: Tree, news: number, olds: number): Frame {
  const scale = (f: Frame, n: number): Frame => ({ ...f, total: f.total / n, self: f.self / n, calls: f.calls / n, children: f.children.map((c) => scale(c, n)) });
  let index = 0;
  const join = (a: Frame | undefined, b: Frame | undefined): Frame => {
    const f: Frame = { ...(a ?? { ...b!, total: 0, self: 0, calls: 0 }), old: b, children: [] };
    f.index = index++ - 1;
    const rest = new Map((b?.children ?? []).map((c) => [c.fn, c]));
    for (const c of a?.children ?? []) {
      f.children.push(join(c, rest.get(c.fn)));
      rest.delete(c.fn);
    }
    for (const c of rest.values()) f.children.push(join(undefined, c));
    return f;
  };
  return join(scale(frames(now), news), scale(frames(before), olds));
}

export function diffFlame(page: Page, width: number): HTMLElement {
  const d = page.data.comparison!;
  const root = merge(d.new_tree, d.old_tree, d.new_traces, d.old_traces);
  const classOf = (f: Frame) => {
    const before = f.old?.total ?? 0;
    if (f.total === before) return "d0";
    const size = Math.abs(Math.log(f.total / before)); // infinite if one is 0
    const step = size < Math.log(1.02) ? 0 : size < Math.log(1.1) ? 1 : size < Math.log(1.5) ? 2 : 3;
    return step === 0 ? "d0" : `${f.total > before ? "dr" : "db"}${step}`;
  };
  const legend = el("p", { class: "legend" }, "Colour: change of the time.", ...([["db3", "more than 33% less, or gone"], ["db2", "9 to 33% less"], ["db1", "2 to 9% less"], ["d0", "nearly the same"],
    ["dr1", "2 to 10% more"], ["dr2", "10 to 50% more"], ["dr3", "more than 50% more, or new"]] as const).map(([cls, text]) => el("span", {}, el("i", { class: `swatch ${cls}` }), text)),
  el("span", { class: "dim" }, "Times are per trace, as measured. Which changes are significant is in the table."));
  return flame(page, root, width, {
    modes: [["time", "new time"], ["old", "old time"]], colour: classOf, legend,
    lines: (f) => [`old ${duration(f.old?.total ?? 0)}, new ${duration(f.total)}: ${f.old?.total ? `${f.total > f.old.total ? "+" : ""}${((100 * (f.total - f.old.total)) / f.old.total).toFixed(1)}%` : "new"}`,
      `old ${calls(Math.round(f.old?.calls ?? 0))}, new ${calls(Math.round(f.calls))}`],
  });
}

// diffSummary says what changed most.
export function diffSummary(page: Page): HTMLElement {
  const { data } = page;
  const box = summary(page);
  const changed = data.rows.label.map((_, r) => r).filter((r) => significant(page, r));
  const all = changed.length, rows = changed.slice(0, 10);
  if (all === 0) return box;
  const list = rows.flatMap((r) => metrics.filter(([k]) => metric(page, k, r).significant).map(([k, title], i) => {
    const link = el("a", { href: "#", onclick: (e) => { e.preventDefault(); page.go({ view: "function", row: r }, true); } }, data.rows.label[r]);
    return [el("td", { class: "name", title: data.rows.label[r] }, i === 0 ? link : ""), title, value(page, k, "old", r), value(page, k, "new", r), changeCell(page, k, r)];
  }));
  box.querySelector(".sentence")?.after(el("h3", {}, "Significant changes"),
    el("div", { class: "scroll" }, table(["Function", "What", "Old", "New", "Change"], list, [false, false, true, true, true], { class: "changes" })),
    ...(all > rows.length ? [el("p", { class: "dim" }, `and ${count(all - rows.length)} more functions, see the table`)] : []));
  return box;
}
