// The table of functions.
import { moduleName, type Data } from "./data";
import { choice, el, exact } from "./dom";
import { octave, sparkline } from "./histogram";
import { active, selected, type Selected } from "./selection";
import type { Page, State } from "./state";
import { count, duration, nanoseconds, percent } from "./units";

// step is how many rows are drawn at first, and how many more each time.
const step = 200;

export const num = (data: Data, key: string, row: number): number => (data.functions[key]?.[row] as number | null) ?? 0;
const list = (data: Data, key: string, row: number): string[] => (data.functions[key]?.[row] as string[] | null) ?? [];

interface Column {
  key: string; title: string; help: string;
  value(row: number): number;
  cell(row: number): HTMLTableCellElement;
}

// isKnown reports whether a row has a figure.
export function isKnown(data: Data, key: string, row: number): boolean {
  const k = data.rows.known;
  if (/^(total|self|unknown)_ns$/.test(key)) return k.total[row];
  if (key === "avg_ns") return k.mean[row];
  if (/^p[0-9]+_ns$/.test(key)) return k.quantiles[row];
  if (key === "max_ns") return k.max[row];
  return /^(cpu|runnable|blocked)_ns$/.test(key) ? k.waits[row] : true;
}

// figure writes a time of a row with its mark: > at least, < at most.
export function figure(data: Data, key: string, row: number): string {
  if (!isKnown(data, key, row)) return "-";
  const least = list(data, "lower_bounds", row).includes(key), most = list(data, "upper_bounds", row).includes(key);
  if (least && most) return "-";
  return `${least ? ">" : most ? "<" : ""}${duration(num(data, key, row))}`;
}

function columns(data: Data): Column[] {
  const n = data.rows.label.length;
  const rows = Array.from({ length: n }, (_, i) => i);
  const any = (key: string, is: (v: number) => boolean) => rows.some((r) => is(num(data, key, r)));
  const time = (key: string, title: string, help: string): Column => ({
    key, title, help, value: (r) => num(data, key, r),
    cell: (r) => exact(figure(data, key, r), isKnown(data, key, r) ? nanoseconds(num(data, key, r)) : "not known", { "data-ns": num(data, key, r) }),
  });
  const whole = (key: string, title: string, help: string): Column => ({
    key, title, help, value: (r) => num(data, key, r),
    cell: (r) => el("td", { class: num(data, key, r) > 0 && key === "errors" ? "n error" : "n" }, count(num(data, key, r))),
  });
  const most = Math.max(1, ...rows.map((r) => num(data, "self_ns", r)));
  const self = time("self_ns", "Self time", "time without the traced callees; the bar is its part of the largest");
  const plain = self.cell;
  self.cell = (r) => {
    const td = plain(r);
    td.classList.add("bar");
    td.style.setProperty("--part", `${(100 * num(data, "self_ns", r)) / most}%`);
    return td;
  };
  const all = [
    time("total_ns", "Total time", "a recursive function counts once per outermost call"), self,
    whole("calls", "Calls", "of the whole recording"),
  ];
  if (any("calls_error", (v) => v > 0) || any("covered", (v) => v < 1)) {
    all.push({
      key: "calls_error", title: "±", help: "half of the 95% interval of Calls", value: (r) => num(data, "calls_error", r) / Math.max(1, num(data, "calls", r)),
      cell: (r) => exact(num(data, "calls_error", r) === 0 ? "exact" : `±${percent(num(data, "calls_error", r), num(data, "calls", r))}`, `±${count(num(data, "calls_error", r))} calls`),
    }, { key: "covered", title: "Covered", help: "part of the time in which the function was probed", value: (r) => num(data, "covered", r), cell: (r) => el("td", { class: "n" }, percent(num(data, "covered", r), 1)) });
  }
  all.push(time("avg_ns", "Avg", "mean"), time("p50_ns", "P50", "half of the calls took at most this"), time("p90_ns", "P90", "9 in 10 calls took at most this"),
    time("p99_ns", "P99", "99 in 100 calls took at most this"), time("p999_ns", "P99.9", "999 in 1000 calls took at most this"), time("max_ns", "Max", "the longest call"));
  if (any("errors", (v) => v > 0)) all.push(whole("errors", "Errors", "calls that have failed"));
  if (data.trace.switches !== undefined || data.functions.cpu_ns) {
    all.push(time("cpu_ns", "On CPU", "part of the total time on a processor"), time("runnable_ns", "Runnable", "part of the total time waiting for a processor"),
      time("blocked_ns", "Blocked", "part of the total time asleep, or waiting for something else"));
    if (any("unknown_ns", (v) => v > 0)) all.push(time("unknown_ns", "Not known", "part of the total time of which the rest is not known"));
  }
  return all;
}

// selectedColumns are the figures of the calls in the selected time.
function selectedColumns(of: Map<number, Selected | null>): Column[] {
  const value = (key: keyof Selected) => (r: number) => of.get(r)?.[key] ?? -1;
  const time = (key: keyof Selected, title: string): Column => ({
    key, title: `≈${title}`, help: "in the selected time, from the heatmap: within about 10%", value: value(key),
    cell: (r) => exact(of.get(r)?.calls ? duration(of.get(r)![key]) : "-", "an estimate from the heatmap"),
  });
  return [
    { key: "calls", title: "Calls selected", help: "complete calls that began in the selected time", value: value("calls"), cell: (r) => el("td", { class: "n" }, of.get(r) ? count(of.get(r)!.calls) : "-") },
    { key: "part", title: "Of all", help: "part of the function's complete calls", value: (r) => value("calls")(r) / Math.max(1, value("all")(r)), cell: (r) => el("td", { class: "n" }, of.get(r) ? percent(of.get(r)!.calls, of.get(r)!.all) : "-") },
    time("p50", "P50"), time("p90", "P90"), time("p99", "P99"), time("max", "Max"),
  ];
}

// matcher reads a search: words that a name contains, or a /regular expression/.
export function matcher(q: string): (name: string) => boolean {
  if (q.length > 2 && q.startsWith("/") && q.endsWith("/")) {
    try {
      const re = new RegExp(q.slice(1, -1), "i");
      return (name) => re.test(name);
    } catch {
      return () => false;
    }
  }
  const words = q.toLowerCase().split(/\s+/).filter((w) => w);
  return (name) => words.every((w) => name.toLowerCase().includes(w));
}

export function functionName(data: Data, row: number): string {
  const value = data.rows.value[row];
  return data.by ? `${data.rows.label[row]} ${data.by}=${value || "-"}` : data.rows.label[row];
}

// visible are the rows that the filters leave, in order.
export function visible(data: Data, s: State, cols: Column[]): number[] {
  const match = matcher(s.q);
  const rows: number[] = [];
  data.rows.label.forEach((label, r) => {
    const module = data.modules[data.module_of[data.rows.function[r]]];
    if (s.module && module !== s.module) return;
    if (s.process && data.rows.programs[r] !== s.process) return;
    if (s.errors && num(data, "errors", r) === 0) return;
    if (!match(`${label} ${data.rows.value[r]}`)) return;
    rows.push(r);
  });
  const col = cols.find((c) => c.key === s.sort) ?? cols[0];
  const sign = s.up ? 1 : -1;
  const byName = (a: number, b: number) => (functionName(data, a) < functionName(data, b) ? -1 : 1);
  if (s.sort === "name") return rows.sort((a, b) => byName(a, b) * (s.up ? -1 : 1));
  return rows.sort((a, b) => sign * (col.value(a) - col.value(b)) || a - b);
}

export function functions(page: Page): HTMLElement {
  const { data, state: s } = page;
  const sel = active(s);
  const of = new Map<number, Selected | null>();
  if (sel) data.rows.label.forEach((_, r) => of.set(r, selected(data, r, s)));
  const cols = sel ? selectedColumns(of) : columns(data);
  const processes = [...new Set(data.rows.programs)].sort();
  const modules = [...new Set(data.rows.function.map((f) => data.modules[data.module_of[f]]))].sort();
  const anyErrors = data.functions.errors?.some((e) => (e as number) > 0);

  const [lowest, highest] = range(data);
  const body = el("tbody");
  let shown = step;
  const more = el("button", { type: "button", class: "more", onclick: () => { shown += 5 * step; draw(); } });
  const note = el("p", { class: "dim", "aria-live": "polite" });
  const draw = () => {
    const rows = visible(data, page.state, cols);
    body.replaceChildren(...rows.slice(0, shown).map((r) => line(r)));
    more.hidden = rows.length <= shown;
    more.textContent = `Show more (${count(rows.length - shown)} left)`;
    note.textContent = `${count(rows.length)} of ${count(data.rows.label.length)} ${data.by ? "rows" : "functions"}`;
  };
  const line = (r: number) => {
    const module = data.modules[data.module_of[data.rows.function[r]]];
    const tr = el("tr", { "data-row": r, "aria-selected": r === s.row ? "true" : undefined, onclick: () => page.go({ view: "function", row: r, call: "" }, true) },
      el("th", { scope: "row", class: "name", title: `${data.rows.label[r]}\n${module}` },
        el("a", { href: "#", onclick: (e) => e.preventDefault() }, data.rows.mark[r] ? el("span", { class: "mark", title: "uncertain: see the limits in the summary" }, "~") : null, data.rows.label[r]),
        modules.length > 1 ? el("span", { class: "dim" }, ` ${moduleName(module)}`) : null));
    if (data.by) tr.append(el("td", { class: "value" }, data.rows.value[r] || "-"));
    if (processes.length > 1) tr.append(el("td", { class: "value" }, data.rows.programs[r]));
    tr.append(el("td", {}, sparkline(data.rows.histogram[r], lowest, highest)));
    for (const c of cols) tr.append(c.cell(r));
    return tr;
  };
  const head = (key: string, title: string, help: string, cls = "n") => el("th", { scope: "col", class: cls, "aria-sort": s.sort === key ? (s.up ? "ascending" : "descending") : "none" },
    el("button", { type: "button", title: help, "data-sort": key, onclick: () => page.go({ sort: key, up: s.sort === key ? !s.up : false }) }, title, el("span", { class: "arrow", "aria-hidden": "true" }, s.sort === key ? (s.up ? " ▲" : " ▼") : "")));
  const search = el("input", { type: "search", id: "search", placeholder: "Search functions  ( / )", value: s.q, "aria-label": "search functions", spellcheck: "false" });
  search.addEventListener("input", () => { page.state.q = search.value; page.go({ q: search.value }); });
  const pick = (label: string, values: string[], value: string, name: (v: string) => string, change: (v: string) => void) => {
    const select = el("select", { "aria-label": label }, el("option", { value: "" }, `all ${label}`), ...values.map((v) => el("option", { value: v, selected: v === value }, name(v))));
    select.addEventListener("change", () => change(select.value));
    return select;
  };
  const bar = el("div", { class: "tools" }, search,
    modules.length > 1 ? pick("modules", modules, s.module, moduleName, (v) => page.go({ module: v })) : null,
    processes.length > 1 ? pick("processes", processes, s.process, (v) => v, (v) => page.go({ process: v })) : null,
    anyErrors ? choice("calls", [["", "all"], ["1", "with errors"]], s.errors ? "1" : "", (v) => page.go({ errors: v === "1" })) : null, note);
  const table = el("table", { class: "functions" },
    el("thead", {}, el("tr", {}, head("name", "Function", "by name", ""), data.by ? el("th", { scope: "col" }, data.by) : null, processes.length > 1 ? el("th", { scope: "col" }, "Process") : null,
      el("th", { scope: "col" }, "Distribution"), ...cols.map((c) => head(c.key, c.title, c.help)))), body);
  draw();
  const legend = highest >= lowest ? el("p", { class: "dim" }, `Distribution: complete calls by duration, ${duration(2 ** lowest)} to ${duration(2 ** (highest + 1))}, a power of two a bar. Hover over a figure for nanoseconds.`) : null;
  return el("section", { class: "view" }, bar, el("div", { class: "scroll", tabindex: -1 }, table), more, legend);
}

// range is the octaves of all durations.
export function range(data: Data): [number, number] {
  let lowest = 64, highest = -1;
  for (const h of data.rows.histogram) {
    if (!h.low || h.low.length === 0) continue;
    lowest = Math.min(lowest, octave(h.low[0]));
    highest = Math.max(highest, octave(h.low[h.low.length - 1]));
  }
  return [lowest, highest];
}
