// The page: reads the data and the state, and draws a view.
import { readData, type Data } from "./data";
import { diffFlame, diffFunction, diffSummary, diffTable } from "./diff";
import { el, hideTip } from "./dom";
import { flameView } from "./flame";
import { functionView } from "./function";
import { functions, functionName } from "./functions";
import { active } from "./selection";
import { format, parse, type Page, type State } from "./state";
import { summary } from "./summary";
import { timelineView } from "./timeline";
import { duration } from "./units";

const wide = 1900; // pixels from which the table and a function are side by side

type View = { key: string; title: string; draw(page: Page, width: number): HTMLElement };

function viewsOf(data: Data): View[] {
  if (data.kind === "diff") {
    return [{ key: "summary", title: "Summary", draw: diffSummary }, { key: "functions", title: "Functions", draw: diffTable },
      { key: "function", title: "Function", draw: diffFunction }, { key: "flame", title: "Flame graph", draw: diffFlame }];
  }
  return [{ key: "summary", title: "Summary", draw: summary }, { key: "functions", title: "Functions", draw: functions },
    { key: "function", title: "Function", draw: functionView }, { key: "flame", title: "Flame graph", draw: flameView }, { key: "timeline", title: "Timeline", draw: timelineView }];
}

const help: [string, string][] = [
  ["1  2  …", "views, from the left"], ["/", "search"], ["j  k", "next and previous function"], ["Enter", "open the function, or zoom into the frame"],
  ["Esc", "clear the search, the zoom or the selection; back to the table"], ["t", "dark or light, then as the system is again"], ["?", "this help"],
];

async function start(): Promise<void> {
  const data = await readData();
  const app = document.getElementById("app")!;
  const views = viewsOf(data);
  const main = el("main", { id: "main" });
  const nav = el("nav", { "aria-label": "views" });
  const chips = el("div", { class: "chips" });
  const about = el("dialog", { id: "help" }, el("h2", {}, "Keys"), el("dl", { class: "facts" }, ...help.flatMap(([k, t]) => [el("dt", {}, el("kbd", {}, k)), el("dd", {}, t)])),
    el("h2", {}, "Licences"), el("pre", {}, (document.getElementById("licenses") as HTMLTemplateElement).content.textContent ?? ""), el("form", { method: "dialog" }, el("button", {}, "Close")));
  const theme = el("button", { type: "button", id: "theme", title: "light, dark, or as the system is (t)", onclick: () => nextTheme() }, "◐");
  app.append(el("header", {}, el("div", { class: "title" }, el("strong", {}, data.kind === "diff" ? "utrace diff" : "utrace"), el("span", { class: "what", title: data.title }, data.title),
    el("span", { class: "dim" }, [data.trace.host, data.trace.start.slice(0, 19).replace("T", " ") + " UTC", duration(data.trace.duration_ns)].filter((t) => t.trim() !== "UTC" && t).join("  ·  "))), nav,
    theme, el("button", { type: "button", id: "keys", title: "keys and licences (?)", onclick: () => about.showModal() }, "?")), chips, main,
    el("footer", { class: "dim" }, `Made by utrace ${data.version}. This page loads nothing, and sends nothing.`), about);

  const page: Page = {
    data, state: parse(location.hash),
    go(change, step = false) {
      page.state = { ...page.state, ...change };
      const address = format(page.state);
      try {
        if (step) history.pushState(null, "", address);
        else history.replaceState(null, "", address);
      } catch { // a browser may refuse it for files, or if there are too many: the view changes all the same
      }
      draw(step && ("view" in change || "row" in change));
    },
  };
  const viewOf = (key: string) => views.find((v) => v.key === key)!;
  const known = () => { if (!views.some((v) => v.key === page.state.view)) page.state.view = "summary"; };

  function nextTheme(): void {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const order = ["", dark ? "light" : "dark", dark ? "dark" : "light"]; // the first press changes something
    page.go({ theme: order[(order.indexOf(page.state.theme) + 1) % 3] });
  }

  function draw(top = false): void {
    known();
    hideTip();
    const s = page.state;
    document.documentElement.dataset.theme = s.theme;
    nav.replaceChildren(...views.filter((v) => v.key !== "function" || s.row >= 0).map((v, i) =>
      el("a", { href: format({ ...s, view: v.key }), "data-view": v.key, "aria-current": v.key === s.view ? "page" : undefined, title: `(${i + 1})`, onclick: (e) => { e.preventDefault(); page.go({ view: v.key, q: "" }, true); } },
        v.key === "function" ? functionName(data, s.row) || "Function" : v.title)));
    chips.replaceChildren(...selectionChips(page));
    // The field in which the user types stays as it is.
    const focus = document.activeElement as HTMLInputElement | null;
    const [id, caret] = focus && main.contains(focus) ? [focus.id || focusKey(focus), focus.id === "search" ? focus.selectionStart : null] : ["", null];
    const y = scrollY;
    const width = Math.max(320, main.clientWidth - 32);
    const pair = width >= wide && s.row >= 0 && (s.view === "function" || s.view === "functions");
    if (pair) {
      const half = Math.floor(width * 0.5) - 12;
      main.replaceChildren(el("div", { class: "pair" }, viewOf("functions").draw(page, half), viewOf("function").draw(page, half)));
    } else {
      main.replaceChildren(viewOf(s.view).draw(page, width));
    }
    if (id) {
      const again = document.getElementById(id) ?? [...main.querySelectorAll<HTMLElement>("button, [tabindex]")].find((e) => focusKey(e) === id);
      (again as HTMLElement | undefined)?.focus({ preventScroll: true });
      if (caret !== null && again instanceof HTMLInputElement) again.setSelectionRange(caret, caret);
    }
    scrollTo(0, top ? 0 : y);
  }

  addEventListener("popstate", () => { page.state = parse(location.hash); draw(); });
  addEventListener("hashchange", () => { page.state = parse(location.hash); draw(); });
  let drawn = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== drawn) { drawn = innerWidth; draw(); } });
  addEventListener("keydown", (e) => key(e));

  function key(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey || about.open) return;
    const typing = e.target instanceof HTMLInputElement || e.target instanceof HTMLSelectElement;
    const s = page.state;
    if (e.key === "Escape") {
      if (typing && s.q === "") (e.target as HTMLElement).blur();
      else if (s.q !== "") page.go({ q: "" });
      else if (s.zoom >= 0 && s.view === "flame") page.go({ zoom: -1 });
      else if (active(s)) page.go({ from: 0, to: 0, low: 0, high: 0, of: -1 });
      else if (s.view === "function") page.go({ view: "functions" }, true);
      return;
    }
    if (typing) return;
    const shown = views.filter((v) => v.key !== "function" || s.row >= 0);
    const digit = Number(e.key) - 1;
    if (digit >= 0 && digit < shown.length) return page.go({ view: shown[digit].key, q: "" }, true);
    switch (e.key) {
      case "/":
        e.preventDefault();
        if (!document.getElementById("search")) page.go({ view: "functions" }, true);
        document.getElementById("search")?.focus();
        break;
      case "?": about.showModal(); break;
      case "t": nextTheme(); break;
      case "j": case "k": move(e.key === "j" ? 1 : -1); break;
      case "Enter": if (s.view === "functions" && s.row >= 0 && document.activeElement === document.body) page.go({ view: "function" }, true); break;
    }
  }

  // move selects the next function in the order of the table, or the one before.
  function move(by: number): void {
    const rows = [...main.querySelectorAll<HTMLElement>("tr[data-row]")].map((tr) => Number(tr.dataset.row));
    const all = rows.length ? rows : data.rows.label.map((_, r) => r);
    const at = all.indexOf(page.state.row);
    const row = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    if (row !== undefined) page.go({ row, call: "" });
    main.querySelector(`tr[data-row="${row}"]`)?.scrollIntoView({ block: "nearest" });
  }

  draw();
  document.documentElement.dataset.ready = "1";
}

function focusKey(e: HTMLElement): string {
  for (const name of ["data-sort", "data-call", "data-choice"]) if (e.hasAttribute(name)) return `${name}=${e.getAttribute(name)}/${e.parentElement?.getAttribute("aria-label") ?? ""}`;
  return e.getAttribute("aria-label") ?? "";
}

function selectionChips(page: Page): HTMLElement[] {
  const s: State = page.state;
  if (!active(s)) return [];
  let text = `Selected: calls that began ${duration(s.from)} to ${duration(s.to)} after the start`;
  if (s.high > 0 && s.of >= 0) text += `; of ${page.data.rows.label[s.of]}, those that took ${duration(s.low)} to ${duration(s.high)}`;
  const other = el("p", { class: "dim" }, "Tables of functions, distributions, slowest calls and the timeline show the selection. The flame graph, arguments, callers and callees are of all calls.");
  return [el("span", { class: "chip" }, text, " ", el("button", { type: "button", id: "clear", onclick: () => page.go({ from: 0, to: 0, low: 0, high: 0, of: -1 }) }, "Clear")), other];
}

start().catch((error: unknown) => {
  document.getElementById("app")!.append(el("p", { class: "fatal" }, `This page cannot be shown: ${error}`));
  throw error;
});
