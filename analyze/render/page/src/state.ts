// The state of the page. It is in the fragment of its address, so that a link leads to it.

export interface State {
  view: string;
  row: number;      // of the function that is shown, -1 for none
  sort: string;     // key of a column
  up: boolean;      // smallest first
  q: string;        // search
  module: string; process: string; errors: boolean;
  x: string; y: string;  // scales of histograms: log or linear
  mode: string;     // of the flame graph
  icicle: boolean;
  zoom: number;     // node of the flame graph
  call: string;     // slow call that is shown: its detail and number
  from: number; to: number;    // selected time, since the start of the trace; to 0 is none
  low: number; high: number;   // selected durations of the calls of the function `of`; high 0 is none
  of: number;       // row whose heatmap was used to select
  t0: number; t1: number;      // shown in the timeline; t1 0 is all
  theme: string;
}

export const initial: State = {
  view: "summary", row: -1, sort: "total_ns", up: false, q: "", module: "", process: "", errors: false, x: "log", y: "linear",
  mode: "time", icicle: false, zoom: -1, call: "", from: 0, to: 0, low: 0, high: 0, of: -1, t0: 0, t1: 0, theme: "",
};

// parse reads a fragment. What it does not understand is as at the beginning.
export function parse(fragment: string): State {
  const state: State = { ...initial };
  const params = new URLSearchParams(fragment.replace(/^#/, ""));
  for (const key of Object.keys(initial) as (keyof State)[]) {
    const text = params.get(key);
    if (text === null) continue;
    const like = initial[key];
    let value: string | number | boolean = text;
    if (typeof like === "number") value = Number.isSafeInteger(Number(text)) ? Number(text) : like;
    else if (typeof like === "boolean") value = text === "1";
    (state as unknown as Record<string, unknown>)[key] = value;
  }
  return state;
}

export function format(state: State): string {
  const params = new URLSearchParams();
  for (const key of Object.keys(initial) as (keyof State)[]) {
    const value = state[key];
    if (value !== initial[key]) params.set(key, typeof value === "boolean" ? (value ? "1" : "0") : String(value));
  }
  return `#${params}`;
}

// Page is what the views share.
export interface Page {
  data: import("./data").Data;
  state: State;
  // go changes the state and draws again. A step is one that the browser's button goes back to.
  go(change: Partial<State>, step?: boolean): void;
}
