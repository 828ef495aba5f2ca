// All about one function.
import type { Call, Values } from "./data";
import { choice, el, exact, table } from "./dom";
import { figure, functionName, num } from "./functions";
import { heatmap } from "./heatmap";
import { histogram, type Marker, type Series } from "./histogram";
import { active, holds, selectedHistogram } from "./selection";
import type { Page } from "./state";
import { timeline } from "./timeline";
import { calls, count, duration, nanoseconds, percent } from "./units";

export function functionView(page: Page, width: number): HTMLElement {
  const { data, state: s } = page;
  const row = s.row;
  if (row < 0 || row >= data.rows.label.length) return el("section", { class: "view" }, el("p", { class: "dim" }, "Choose a function in the table."));
  const fn = data.rows.function[row];
  const module = data.modules[data.module_of[fn]];
  const file = data.functions.file?.[row] as string, at = num(data, "line", row);
  const d = data.rows.detail[row];
  const detail = d >= 0 ? data.details![d] : null;
  const figures: [string, string, string][] = [
    ["Calls", count(num(data, "calls", row)), num(data, "calls_error", row) ? `±${count(num(data, "calls_error", row))}` : "exact"],
    ["Total time", figure(data, "total_ns", row), nanoseconds(num(data, "total_ns", row))],
    ["Self time", figure(data, "self_ns", row), nanoseconds(num(data, "self_ns", row))],
    ["Avg", figure(data, "avg_ns", row), nanoseconds(num(data, "avg_ns", row))],
    ["P50", figure(data, "p50_ns", row), nanoseconds(num(data, "p50_ns", row))],
    ["P90", figure(data, "p90_ns", row), nanoseconds(num(data, "p90_ns", row))],
    ["P99", figure(data, "p99_ns", row), nanoseconds(num(data, "p99_ns", row))],
    ["P99.9", figure(data, "p999_ns", row), nanoseconds(num(data, "p999_ns", row))],
    ["Max", figure(data, "max_ns", row), nanoseconds(num(data, "max_ns", row))],
  ];
  for (const [key, name] of [["errors", "Errors"], ["incomplete", "Incomplete"], ["uncertain", "Uncertain"], ["lost", "Lost entries"], ["dropped", "Dropped"]]) {
    if (num(data, key, row) > 0) figures.push([name, count(num(data, key, row)), "calls"]);
  }
  if (data.functions.cpu_ns) for (const [key, name] of [["cpu_ns", "On CPU"], ["runnable_ns", "Runnable"], ["blocked_ns", "Blocked"]]) figures.push([name, figure(data, key, row), nanoseconds(num(data, key, row))]);

  const markers: Marker[] = [];
  if ((data.rows.histogram[row].calls ?? []).length) for (const [key, name] of [["p50_ns", "P50"], ["p90_ns", "P90"], ["p99_ns", "P99"], ["p999_ns", "P99.9"]]) markers.push({ name, at: num(data, key, row) });
  const series: Series[] = [{ name: "", class: "s0", data: data.rows.histogram[row] }];
  if (active(s) && detail && !data.by) {
    series[0] = { name: "all", class: "s-old", data: data.rows.histogram[row] };
    series.push({ name: "selected", class: "s-new", data: selectedHistogram(detail.heatmap, row, s), coarse: true });
  }
  const two = width >= 1100;
  const chart = two ? Math.floor((width - 28) / 2) : width;
  const all = data.by ? ` of all calls of ${data.rows.label[row]}` : "";
  const section = el("section", { class: "view", "data-function": functionName(data, row) },
    el("h2", { class: "name" }, functionName(data, row)),
    el("p", { class: "dim" }, [module, file ? `${file}${at ? `:${at}` : ""}` : "", data.rows.programs[row]].filter((t) => t).join("  ·  "),
      data.rows.mark[row] ? "  ·  ~ uncertain: the time may be below the resolution of the probes, or contain the probes of other threads" : ""),
    el("dl", { class: "figures" }, ...figures.map(([name, text, title]) => el("div", { title }, el("dt", {}, name), el("dd", {}, text)))),
    el("div", { class: two ? "two" : "" },
      el("div", {}, el("h3", {}, "Distribution of durations ", choice("durations", [["log", "log"], ["linear", "linear"]], s.x, (v) => page.go({ x: v })), choice("calls", [["linear", "linear"], ["log", "log"]], s.y, (v) => page.go({ y: v }))),
        histogram(series, markers, s.x, s.y, chart)),
      el("div", {}, el("h3", {}, `Latency over time${all}`), detail ? heatmap(page, row, detail.heatmap, detail.covered, chart) : el("p", { class: "dim" }, "Left out, to keep the page small."))),
    slowest(page, row, detail?.slowest ?? [], d, width), ...byArgument(detail?.values ?? [], data.by, active(s)),
    el("div", { class: two ? "two" : "" }, el("div", {}, ...neighbours(page, fn, true)), el("div", {}, ...neighbours(page, fn, false))),
    values(page, row));
  if (active(s)) section.querySelector(".figures")!.after(el("p", { class: "dim" }, "These figures, and the marks in the distribution, are of all calls."));
  return section;
}

// byArgument shows the calls of a function by the values of each argument.
function byArgument(list: Values[], by: string, selection: boolean): HTMLElement[] {
  if (list.length === 0) return [];
  const tables = list.filter((v) => v.name !== by && v.text?.length).map((v) => {
    const longest = Math.max(...v.p99);
    const bar = (ns: number) => {
      const td = exact(duration(ns), nanoseconds(ns), { "data-ns": ns });
      td.classList.add("bar");
      td.style.setProperty("--part", `${(100 * ns) / Math.max(1, longest)}%`);
      return td;
    };
    const lines = v.text!.map((text, i) => [el("td", { class: "value", title: text }, text), count(v.calls[i]), bar(v.p50[i]), bar(v.p99[i]), exact(duration(v.max[i]), nanoseconds(v.max[i]))]);
    if (v.others > 0) lines.push([el("td", { class: "dim" }, "other values"), count(v.others), el("td"), el("td"), el("td")]);
    return el("div", { class: "scroll", "data-argument": v.name }, table([v.name || "argument", "Calls", "P50", "P99", "Max"], lines, [false, true, true, true, true]));
  });
  return [el("h3", {}, "Complete calls by argument", selection ? el("span", { class: "dim" }, " of all calls, not only selected ones") : null), el("div", { class: "cards" }, ...tables)];
}

// values are the rows of the same function with other values.
function values(page: Page, row: number): HTMLElement | null {
  const { data } = page;
  if (!data.by) return null;
  const rows = data.rows.function.flatMap((f, r) => (f === data.rows.function[row] ? [r] : [])).sort((a, b) => num(data, "p99_ns", b) - num(data, "p99_ns", a));
  const numbers = [false, true, true, true, true, true];
  return el("div", { class: "scroll" }, el("h3", {}, `Calls by ${data.by}`), table([data.by, "Calls", "Total time", "P50", "P99", "Max"], rows.map((r) => [
    el("td", {}, el("a", { href: "#", onclick: (e) => { e.preventDefault(); page.go({ row: r }, true); } }, data.rows.value[r] || "-")),
    count(num(data, "calls", r)), figure(data, "total_ns", r), figure(data, "p50_ns", r), figure(data, "p99_ns", r), figure(data, "max_ns", r)]), numbers));
}

// neighbours are the callers or the callees of a function.
function neighbours(page: Page, fn: number, callers: boolean): HTMLElement[] {
  const { data } = page;
  const e = data.edges;
  const list: number[] = [];
  (callers ? e.callee : e.caller)?.forEach((f, i) => { if (f === fn) list.push(i); });
  const title = el("h3", {}, callers ? "Callers" : "Callees", active(page.state) ? el("span", { class: "dim" }, " of all calls, not only selected ones") : null);
  const all = list.reduce((sum, i) => sum + e.total[i], 0);
  if (list.length === 0) return [title, el("p", { class: "dim" }, callers ? "None in the trace." : "No traced callee.")];
  const line = (i: number) => {
    const other = callers ? e.caller![i] : e.callee[i];
    const to = data.rows.function.indexOf(other);
    const name = other < 0 ? "(no traced caller)" : data.names[other];
    const cell = to < 0 ? el("span", {}, name) : el("a", { href: "#", onclick: (ev) => { ev.preventDefault(); page.go({ row: to, call: "" }, true); } }, name);
    return [el("td", { class: "name", title: name }, cell), exact(duration(e.total[i]), nanoseconds(e.total[i])), percent(e.total[i], all), count(e.calls[i])];
  };
  return [title, el("div", { class: "scroll" }, table([callers ? "Caller" : "Callee", "Time of the calls", "Part", "Calls"], list.slice(0, 50).map(line), [false, true, true, true])),
    ...(list.length > 50 ? [el("p", { class: "dim" }, `and ${list.length - 50} more`)] : [])];
}

// others are slow calls of other threads at the time of a call.
function others(page: Page, call: Call): Call[] {
  const end = call.start + call.spans.end[0];
  return (page.data.details ?? []).flatMap((d) => d.slowest ?? [])
    .filter((c) => c.file === call.file && c.thread !== call.thread && c.start < end && c.start + c.spans.end[0] > call.start);
}

function slowest(page: Page, row: number, list: Call[], d: number, width: number): HTMLElement {
  const { data, state: s } = page;
  const same = data.rows.function.flatMap((f, r) => (f === data.rows.function[row] ? [r] : []));
  const shown = list.map((c, i) => ({ c, i })).filter(({ c }) => holds(s, row, c.start, c.duration));
  const box = el("div", { class: "slowest" }, el("h3", {}, "Slowest calls ", el("span", { class: "dim" }, `${shown.length} of ${calls(same.reduce((n, r) => n + num(data, "calls", r), 0))}${data.by ? " of the function" : ""}${active(s) ? ", in the selection" : ""}`)));
  if (shown.length === 0) {
    box.append(el("p", { class: "dim" }, list.length ? `The selection has none of the slowest ${list.length} calls. The page holds no other single calls.` : d < 0 ? "Left out, to keep the page small." : "No complete call has a known duration."));
    return box;
  }
  const names = data.details![d].arguments ?? [];
  const args = shown.some(({ c }) => c.arguments), results = shown.some(({ c }) => c.results), spent = shown.some(({ c }) => c.spent), files = shown.some(({ c }) => c.file);
  const head = ["Duration", "Began", ...(files ? ["Trace"] : []), "Thread", ...(args ? [names.length ? `Arguments: ${names.join(", ")}` : "Arguments"] : []), ...(results ? ["Result"] : []), ...(spent ? ["Spent"] : []), ""];
  const open = shown.some(({ i }) => s.call === `${d}.${i}`) ? s.call : `${d}.${shown[0].i}`;
  const t = table(head, shown.map(({ c, i }) => {
    const key = `${d}.${i}`;
    return [exact(duration(c.duration), nanoseconds(c.duration), { "data-ns": c.duration }), el("td", { class: "n", title: c.began }, `${duration(c.start)}`),
      ...(files ? [c.file ?? ""] : []), el("td", { title: `process ${c.pid} ${c.process}` }, c.thread),
      ...(args ? [el("td", { class: "value", title: c.arguments ?? "" }, c.arguments ?? "")] : []), ...(results ? [el("td", { class: "value" }, c.results ?? "")] : []),
      ...(spent ? [el("td", {}, c.spent ?? "")] : []),
      el("td", {}, el("button", { type: "button", "aria-pressed": String(key === open), "data-call": key, title: "what is inside the call", onclick: () => { page.go({ call: key }); document.querySelector(".slowest .inside")?.scrollIntoView({ block: "center" }); } }, "inside"))];
  }), [true, true]);
  box.append(el("div", { class: "scroll" }, t));
  const c = data.details![d].slowest![Number(open.split(".")[1])];
  box.append(el("h3", { class: "inside" }, `Inside the call of ${duration(c.duration)} `, el("span", { class: "dim" }, `${c.thread}, began ${duration(c.start)} after the start, ${c.began}`)),
    timeline(page, [c, ...others(page, c)], c.start, c.start + c.spans.end[0], { at: c.start, name: "since the call began" }, width));
  if (c.omitted) box.append(el("p", { class: "dim" }, `Not shown: ${calls(c.omitted)} below it; the longest took ${duration(c.omitted_max ?? 0)}.`));
  return box;
}

