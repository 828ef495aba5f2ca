// Axes of charts.
import { svg } from "./dom";
import { short } from "./units";

export interface Scale { (v: number): number; ticks(n: number): number[] }

// bottomAxis draws an axis of times below a chart.
export function bottomAxis(scale: Scale, left: number, right: number, y: number, label: string, log = false): SVGGElement {
  const g = svg("g", { class: "axis" }, svg("path", { d: `M${left} ${y}H${right}` }));
  let end = -Infinity;
  const want = Math.max(2, Math.floor((right - left) / 90));
  let ticks = scale.ticks(want);
  if (log && ticks.length > want) {
    const digit = (t: number) => Math.round(t / 10 ** Math.floor(Math.log10(t) + 1e-9));
    const keep = [[1, 2, 5], [1]].map((digits) => ticks.filter((t) => digits.includes(digit(t))));
    ticks = keep[0].length <= want * 1.5 || keep[1].length < 2 ? keep[0] : keep[1];
  }
  const step = log || ticks.length < 2 ? 0 : ticks[1] - ticks[0];
  for (const t of ticks) {
    const x = scale(t);
    if (x < left - 1 || x > right + 1) continue;
    g.append(svg("path", { d: `M${x} ${y}v5` }));
    const text = short(t, step);
    const wide = text.length * 7;
    if (x - wide / 2 < end + 6 || x + wide / 2 > right + 10) continue;
    g.append(svg("text", { x, y: y + 17, "text-anchor": "middle" }, text));
    end = x + wide / 2;
  }
  g.append(svg("text", { x: (left + right) / 2, y: y + 34, "text-anchor": "middle", class: "label" }, label));
  return g;
}

// leftAxis draws an axis on the left of a chart.
export function leftAxis(ticks: [number, string][], x: number, top: number, bottom: number, label: string): SVGGElement {
  const g = svg("g", { class: "axis" }, svg("path", { d: `M${x} ${top}V${bottom}` }));
  let end = Infinity;
  for (const [y, text] of ticks) {
    g.append(svg("path", { d: `M${x - 4} ${y}h4` }));
    if (y > end - 13) continue;
    g.append(svg("text", { x: x - 7, y: y + 4, "text-anchor": "end" }, text));
    end = y;
  }
  g.append(svg("text", { x: 0, y: top - 8, class: "label" }, label));
  return g;
}
