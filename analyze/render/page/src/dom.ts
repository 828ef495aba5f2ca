// Elements of the page. Text is always set as text, never as markup.

type Attrs = Record<string, string | number | boolean | EventListener | undefined>;
type Child = Node | string | null | undefined | false;

function fill(e: Element, attrs: Attrs, children: Child[]): void {
  for (const [name, value] of Object.entries(attrs)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") e.addEventListener(name.slice(2), value);
    else e.setAttribute(name, value === true ? "" : String(value));
  }
  for (const c of children) if (c) e.append(c);
}

// el makes an HTML element. An attribute "onclick" is a listener.
export function el<K extends keyof HTMLElementTagNameMap>(tag: K, attrs: Attrs = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  fill(e, attrs, children);
  return e;
}

// svg makes an SVG element.
export function svg<K extends keyof SVGElementTagNameMap>(tag: K, attrs: Attrs = {}, ...children: Child[]): SVGElementTagNameMap[K] {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(e, attrs, children);
  return e;
}

// The tooltip of the page. Lines are text; the first is the title.
let tip: HTMLElement | null = null;

export function showTip(event: { clientX: number; clientY: number }, lines: string[]): void {
  if (!tip) {
    tip = el("div", { id: "tip", role: "tooltip" });
    document.body.append(tip);
  }
  tip.replaceChildren(...lines.filter((l) => l !== "").map((l, i) => el(i === 0 ? "strong" : "span", {}, l)));
  tip.hidden = false;
  const room = document.documentElement;
  const x = Math.min(event.clientX + 14, room.clientWidth - tip.offsetWidth - 8);
  const y = event.clientY + 18 + tip.offsetHeight > room.clientHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18;
  tip.style.left = `${Math.max(4, x)}px`;
  tip.style.top = `${Math.max(4, y)}px`;
}

export function hideTip(): void { if (tip) tip.hidden = true; }

// tips shows a tooltip over elements with data-tip inside e: lines returns it for the value.
export function tips(e: Element, lines: (key: string) => string[]): void {
  e.addEventListener("pointermove", (event) => {
    const target = (event.target as Element).closest("[data-tip]");
    if (target) showTip(event as PointerEvent, lines(target.getAttribute("data-tip")!));
    else hideTip();
  });
  e.addEventListener("pointerleave", hideTip);
  e.addEventListener("focusin", (event) => {
    const target = (event.target as Element).closest("[data-tip]");
    if (!target || !(event.target as Element).matches(":focus-visible")) return;
    const box = target.getBoundingClientRect();
    showTip({ clientX: box.left, clientY: box.bottom - 14 }, lines(target.getAttribute("data-tip")!));
  });
  e.addEventListener("focusout", hideTip);
}

// choice is a row of buttons, one of which is pressed.
export function choice(label: string, options: [string, string][], value: string, choose: (v: string) => void): HTMLElement {
  return el("span", { class: "choice", role: "group", "aria-label": label },
    el("span", { class: "dim" }, label),
    ...options.map(([key, text]) => el("button", { type: "button", "aria-pressed": String(key === value), "data-choice": key, onclick: () => choose(key) }, text)));
}

// table makes a table of text. Cells after the first columns are numbers, except in the text columns.
export function table(head: string[], body: Child[][], numbers: boolean[], attrs: Attrs = {}): HTMLTableElement {
  const cell = (c: Child, i: number) => c instanceof HTMLTableCellElement ? c : el("td", { class: numbers[i] ? "n" : undefined }, c);
  return el("table", attrs,
    el("thead", {}, el("tr", {}, ...head.map((h, i) => el("th", { class: numbers[i] ? "n" : undefined, scope: "col" }, h)))),
    el("tbody", {}, ...body.map((r) => el("tr", {}, ...r.map(cell)))));
}

// exact is a cell of a table with a rounded figure, and the exact one as its tooltip.
export function exact(text: string, title: string, attrs: Attrs = {}): HTMLTableCellElement {
  return el("td", { class: "n", title, ...attrs }, text);
}
