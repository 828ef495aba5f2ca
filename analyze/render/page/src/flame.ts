// Flame graphs, also of differences.
import { hierarchy, partition, type HierarchyRectangularNode } from "d3-hierarchy";
import { Colours } from "./colour";
import type { Data, Tree } from "./data";
import { choice, el, svg, tips } from "./dom";
import { matcher } from "./functions";
import { active } from "./selection";
import type { Page } from "./state";
import { calls, duration, percent } from "./units";

export interface Frame {
  index: number; fn: number; children: Frame[];
  calls: number; total: number; self: number; cpu: number; off: number;
  old?: Frame; // in a diff
}

type Rect = HierarchyRectangularNode<Frame>;

const rowHeight = 19;

// frames makes the frames of a tree. The first is around all others.
export function frames(t: Tree | null): Frame {
  const root: Frame = { index: -1, fn: -1, children: [], calls: 0, total: 0, self: 0, cpu: 0, off: 0 };
  const path: Frame[] = [root];
  t?.function?.forEach((fn, i) => {
    const off = t.blocked[i] + t.runnable[i];
    const f: Frame = { index: i, fn, children: [], calls: t.calls[i], total: t.total[i], self: t.self[i], off, cpu: Math.max(0, t.self[i] - off - t.unknown[i]) };
    path.length = t.depth[i] + 1;
    path[t.depth[i]].children.push(f);
    path.push(f);
  });
  return root;
}

// weight is the width of a frame. Of a call without a return, it is that of the complete calls inside it.
function weights(root: Frame, mode: string): Map<Frame, number> {
  const w = new Map<Frame, number>();
  const visit = (f: Frame): number => {
    let inside = 0;
    for (const c of f.children) inside += visit(c);
    const total = mode === "time" ? f.total : mode === "old" ? f.old?.total ?? 0 : 0;
    const own = mode === "calls" ? f.calls : mode === "cpu" ? f.cpu : mode === "off" ? f.off : mode === "old" ? f.old?.self ?? 0 : f.self;
    const v = Math.max(total, own + inside);
    w.set(f, v);
    return v;
  };
  visit(root);
  return w;
}

export interface FlameOptions {
  modes: [string, string][];
  colour?(f: Frame): string;      // class; by module without it
  lines?(f: Frame): string[];     // for the tooltip
  legend?: HTMLElement;
}

export function flame(page: Page, root: Frame, width: number, options: FlameOptions): HTMLElement {
  const { data, state: s } = page;
  const w = weights(root, s.mode);
  const all = w.get(root)!;
  const tools = el("div", { class: "tools" });
  const box = el("section", { class: "view flame-view" }, tools);
  const search = el("input", { type: "search", id: "search", placeholder: "Search frames  ( / )", value: s.q, "aria-label": "search frames", spellcheck: "false" });
  const found = el("span", { class: "dim", "aria-live": "polite" });
  search.addEventListener("input", () => { page.state.q = search.value; mark(); page.go({ q: search.value }); });
  tools.append(search, choice("width", options.modes, s.mode, (mode) => page.go({ mode })),
    choice("callers", [["0", "below"], ["1", "above"]], s.icicle ? "1" : "0", (v) => page.go({ icicle: v === "1" })),
    el("button", { type: "button", id: "reset", title: "zoom out and end the search (Esc)", onclick: () => page.go({ zoom: -1, q: "" }) }, "Show all"), found);
  if (all === 0) {
    box.append(el("p", { class: "dim" }, s.mode === "off" || s.mode === "cpu" ? "No such time: record with --sched." : "No complete call."));
    return box;
  }

  const top = hierarchy(root, (f) => f.children.filter((c) => w.get(c)! > 0));
  top.each((n) => ((n as { value?: number }).value = w.get(n.data)));
  const laid: Rect = partition<Frame>().size([1, top.height + 1])(top);
  let zoom: Rect = laid;
  laid.each((n) => { if (n.data.index === s.zoom) zoom = n; });
  const around = new Set(zoom.ancestors());
  const scale = width / (zoom.x1 - zoom.x0);
  const shown: Rect[] = [];
  const visit = (n: Rect) => {
    if (!around.has(n) && ((n.x1 - n.x0) * scale < 0.6 || n.x1 <= zoom.x0 + 1e-12 || n.x0 >= zoom.x1 - 1e-12)) return;
    shown.push(n);
    n.children?.forEach(visit);
  };
  visit(laid);
  const depth = Math.max(...shown.map((n) => n.depth)) + 1;
  const height = depth * rowHeight;
  const colours = new Colours(data, laid.descendants().map((n) => n.data.fn).filter((fn) => fn >= 0));
  const picture = svg("svg", { class: "chart flame", width, height, role: "group", "aria-label": "flame graph" });
  const name = (f: Frame) => (f.fn < 0 ? "all" : data.names[f.fn]);
  const total = (f: Frame) => (s.mode === "calls" ? calls(w.get(f)!) : duration(w.get(f)!));
  const groups: SVGGElement[] = [];
  shown.forEach((n, i) => {
    const f = n.data;
    const x = Math.max(0, (n.x0 - zoom.x0) * scale), x1 = Math.min(width, (n.x1 - zoom.x0) * scale);
    const y = s.icicle ? n.depth * rowHeight : height - (n.depth + 1) * rowHeight;
    const wide = x1 - x;
    const cls = f.fn < 0 ? "all" : options.colour ? options.colour(f) : colours.of(f.fn);
    const g = svg("g", { class: `frame ${cls}${around.has(n) && n !== zoom ? " around" : ""}`, "data-tip": i, "data-frame": f.index, "data-value": w.get(f), tabindex: wide > 3 ? -1 : undefined, role: "button", "aria-label": `${name(f)}, ${total(f)}` },
      svg("rect", { x, y, width: Math.max(0.4, wide - 0.4), height: rowHeight - 1 }));
    const room = Math.floor((wide - 8) / 7.3);
    if (room >= 3) {
      const text = name(f);
      const chars = [...text];
      g.append(svg("text", { x: x + 4, y: y + 14 }, chars.length > room ? `${chars.slice(0, room - 1).join("")}…` : text));
    }
    picture.append(g);
    groups.push(g);
  });
  groups[shown.indexOf(zoom)]?.setAttribute("tabindex", "0");
  const open = (i: number) => page.go({ zoom: shown[i].data.index }, true);
  picture.addEventListener("click", (e) => {
    const g = (e.target as Element).closest("[data-tip]");
    if (g) open(Number(g.getAttribute("data-tip")));
  });
  picture.addEventListener("keydown", (e) => {
    const at = groups.indexOf((e.target as Element).closest("g.frame") as SVGGElement);
    if (at < 0) return;
    const n = shown[at];
    const siblings = n.parent?.children ?? [n];
    const down = s.icicle ? "ArrowDown" : "ArrowUp", up = s.icicle ? "ArrowUp" : "ArrowDown";
    const to: Record<string, Rect | null | undefined> = { [down]: n.children?.[0], [up]: n.parent, ArrowLeft: siblings[siblings.indexOf(n) - 1], ArrowRight: siblings[siblings.indexOf(n) + 1] };
    if (e.key === "Enter" || e.key === " ") { e.preventDefault(); open(at); }
    if (e.key in to) {
      e.preventDefault();
      const next = to[e.key];
      const g = next && groups[shown.indexOf(next)];
      if (g) { g.setAttribute("tabindex", "0"); g.focus(); }
    }
  });
  const lines = options.lines ?? ((f: Frame) => f.fn < 0 ? [] : [
    `total ${duration(f.total)}, self ${duration(f.self)}, ${calls(f.calls)}`,
    f.off > 0 ? `self: ${duration(f.cpu)} on a processor, ${duration(f.off)} off` : "",
  ]);
  tips(picture, (key) => {
    const n = shown[Number(key)], f = n.data;
    return [name(f), `${total(f)}, ${percent(w.get(f)!, all)} of all, ${n.parent ? percent(w.get(f)!, w.get(n.parent.data)!) : "100%"} of its caller`, ...lines(f)];
  });

  // mark marks the frames that the search finds, and says how much of the width they are.
  const mark = () => {
    const q = page.state.q;
    const match = matcher(q);
    shown.forEach((n, i) => {
      const hit = q !== "" && n.data.fn >= 0 && match(data.names[n.data.fn]);
      groups[i].classList.toggle("hit", hit);
      groups[i].classList.toggle("miss", q !== "" && !hit);
    });
    let sum = 0;
    const add = (f: Frame) => { if (f.fn >= 0 && match(data.names[f.fn])) sum += w.get(f)!; else f.children.forEach(add); };
    if (q) add(root);
    found.textContent = q ? `found: ${percent(sum, all)}` : "";
  };
  mark();
  box.append(el("div", { class: "picture" }, picture), options.legend ?? colours.legend(),
    el("p", { class: "dim" }, `Width: ${widthOf(s.mode)}. ${s.icicle ? "Callees are below their callers." : "Callees are above their callers."} Click to zoom, or move with arrow keys and press Enter.${active(s) ? " This is all of the time: the page does not have call paths of the selected part." : ""}`));
  return box;
}

function widthOf(mode: string): string {
  switch (mode) {
    case "old": return "total time of complete calls of the old side";
    case "calls": return "number of calls, with those below";
    case "cpu": return "time on a processor";
    case "off": return "time blocked, or waiting for a processor";
  }
  return "total time of complete calls";
}

export function flameView(page: Page, width: number): HTMLElement {
  const { data } = page;
  const modes: [string, string][] = [["time", "time"], ["calls", "calls"]];
  if (sched(data)) modes.push(["cpu", "on CPU"], ["off", "off CPU"]);
  const box = flame(page, frames(data.tree), width, { modes });
  if (data.tree && data.tree.left_out > 0) box.append(el("p", { class: "dim" }, `Left out: ${data.tree.left_out} call paths of less than ${duration(data.tree.min_ns)} each.`));
  return box;
}

export const sched = (data: Data) => data.trace.recordings.some((r) => r.sched);
