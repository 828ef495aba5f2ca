// What was recorded, and what to look at first.
import { el, table } from "./dom";
import { figure, functionName, num } from "./functions";
import type { Page } from "./state";
import { count } from "./units";

export function summary(page: Page): HTMLElement {
  const { data } = page;
  const box = el("section", { class: "view summary" });
  for (const text of data.sentences ?? []) box.append(el("p", { class: "sentence" }, text));
  if (data.why) box.append(el("h3", {}, "Why slow calls are slow"), el("p", { class: "sentence" }, data.why.reason), ...whyTables(page));
  const link = (row: number) => el("a", { href: "#", onclick: (e) => { e.preventDefault(); page.go({ view: "function", row, call: "" }, true); } }, functionName(data, row));
  const rows = data.rows.label.map((_, r) => r);
  const top = (title: string, key: string, figureName: string, help: string, least = 0) => {
    const best = rows.filter((r) => num(data, key, r) > 0 && num(data, "recorded", r) >= least).sort((a, b) => num(data, key, b) - num(data, key, a)).slice(0, 5);
    if (best.length === 0) return null;
    const write = (r: number) => (key.endsWith("_ns") ? figure(data, key, r) : count(num(data, key, r)));
    return el("div", {}, el("h3", { title: help }, title), table(["Function", figureName, ...(key === "calls" ? [] : ["Calls"])],
      best.map((r) => [el("td", { class: "name" }, link(r)), write(r), ...(key === "calls" ? [] : [count(num(data, "calls", r))])]), [false, true, true]));
  };
  box.append(el("div", { class: "cards" }, top("Most self time", "self_ns", "Self time", "time without the traced callees"),
    top("Highest P99, of functions with at least 100 calls", "p99_ns", "P99", "99 in 100 calls took at most this", 100),
    top("Longest call", "max_ns", "Max", "the longest complete call"), top("Most calls", "calls", "Calls", "of the whole recording"), top("Most errors", "errors", "Errors", "calls that have failed")));
  if (rows.length === 0 && data.kind === "analyze") box.append(el("p", { class: "sentence" }, "The trace has no calls of these functions."));
  const warnings = data.warnings ?? [];
  if (warnings.length) box.append(el("h3", {}, "Warnings"), el("ul", { class: "warnings" }, ...warnings.map((w) => el("li", {}, w))));
  const limits = [...(data.notes ?? []), ...(data.left_out ?? []).map((t) => `left out of this page, to keep it small: ${t}`)];
  if (rows.some((r) => data.rows.mark[r])) limits.push("~ marks functions that are too short for their probes, or that may have waited for other threads while these were in probes");
  if (limits.length) box.append(el("h3", {}, "Limits"), el("ul", {}, ...limits.map((t) => el("li", {}, t))));
  box.append(el("h3", {}, data.kind === "diff" ? "Compared" : "Recording"), el("dl", { class: "facts" }, ...(data.facts ?? []).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])));
  return box;
}

function whyTables(page: Page): HTMLElement[] {
  const why = page.data.why!;
  const draw = (title: string, lines: string[][] | null) => lines && lines.length > 1
    ? [el("h3", {}, title), el("div", { class: "scroll" }, table(lines[0], lines.slice(1), lines[0].map((_, i) => i < lines[0].length - 1)))] : [];
  return [...draw("Where the additional time of slow calls is", why.paths), ...draw("What distinguishes slow calls", why.causes), ...(why.unexplained ? [el("p", { class: "dim" }, why.unexplained)] : [])];
}
