// Colours of functions, all of a palette for the colour-blind.
import { moduleName, type Data } from "./data";
import { el } from "./dom";

const hues = 7;

// Colours gives each function a colour: by its module if there are several, else by its name.
export class Colours {
  private readonly classes: string[] | null = null;
  private readonly used = new Set<number>();

  // functions are those in the picture.
  constructor(private readonly data: Data, functions: Iterable<number>) {
    const uses = new Map<number, number>();
    for (const fn of new Set(functions)) uses.set(data.module_of[fn], (uses.get(data.module_of[fn]) ?? 0) + 1);
    if (uses.size < 2) return;
    this.classes = data.modules.map(() => `m${hues}`);
    [...uses].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, hues).forEach(([m], i) => (this.classes![m] = `m${i}`));
  }

  // of is the class of a function. Functions of a module have three shades.
  of(fn: number): string {
    this.used.add(this.data.module_of[fn]);
    let hash = 7;
    for (const c of this.data.names[fn]) hash = (hash * 31 + c.codePointAt(0)!) >>> 0;
    return this.classes ? `${this.classes[this.data.module_of[fn]]} v${hash % 3}` : `m${hash % hues} v${(hash >>> 4) % 3}`;
  }

  // legend names the modules of the functions so far.
  legend(): HTMLElement {
    if (!this.classes) return el("p", { class: "legend" }, "Colour: a function has the same one everywhere.");
    const seen = new Map<string, string[]>();
    for (const m of this.used) seen.set(this.classes[m], [...(seen.get(this.classes[m]) ?? []), moduleName(this.data.modules[m]) || "unknown"]);
    return el("p", { class: "legend" }, "Colour: module.", ...[...seen].sort().map(([cls, names]) =>
      el("span", {}, el("i", { class: `swatch ${cls}` }), names.length > 3 ? "other modules" : names.join(", "))));
  }
}
