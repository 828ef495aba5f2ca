// What a page holds: the structs of data.go, as JSON. Times are in nanoseconds.

export interface Histogram { low: number[] | null; high: number[] | null; calls: number[] | null }

export interface Heatmap {
  from: number; slice: number; slices: number; uncertain: number; sampled: boolean;
  low: number[] | null; high: number[] | null; calls: number[] | null;
}

export interface Wait { blocked: number; runnable: number; unknown: number; waker: string; tid: number }

export interface Spans {
  function: number[]; depth: number[]; start: number[]; end: number[]; duration: number[]; waits: Wait[] | null;
}

export interface Call {
  file?: string; start: number; duration: number; began: string; thread: string; tid: number; pid: number; process: string;
  arguments?: string; results?: string; spent?: string; omitted?: number; omitted_max?: number; spans: Spans;
}

// Complete calls by the value of an argument.
export interface Values { name: string; text: string[] | null; calls: number[]; p50: number[]; p99: number[]; max: number[]; others: number }

export interface Detail {
  values: Values[] | null;
  heatmap: Heatmap; slowest: Call[] | null; arguments: string[] | null; covered: number[] | null }

export interface Tree {
  function: number[] | null; depth: number[]; calls: number[]; total: number[]; self: number[];
  blocked: number[]; runnable: number[]; unknown: number[]; left_out: number; min_ns: number;
}

export interface Loss { from_ns: number; to_ns: number; entries: number; returns: number }

export interface Trace {
  file: string; host: string; command: string; start: string; duration_ns: number; events: number; lost: number;
  switches?: number; losses: Loss[]; recordings: { sched: boolean; duration_ns: number }[]; survey: object | null;
}

export interface Why { reason: string; paths: string[][] | null; causes: string[][] | null; unexplained: string }

// A figure of all rows.
export type Column = (number | string | boolean | string[] | null)[];

// Which figures of each row are known.
export interface Known { total: boolean[]; mean: boolean[]; quantiles: boolean[]; max: boolean[]; waits: boolean[] }

export interface Rows {
  function: number[]; label: string[]; value: string[]; programs: string[]; mark: boolean[]; known: Known; histogram: Histogram[]; detail: number[];
}

export interface Edges { caller: number[] | null; callee: number[]; calls: number[]; total: number[] }

// A metric of a function on both sides of a comparison.
export interface Metric {
  old: number; new: number; comparable: boolean; change_percent: number | null; beyond_percent: number | null; p: number; tested: boolean; significant: boolean;
}

export interface Diff { old_histogram: Histogram[]; new_histogram: Histogram[]; old_tree: Tree; new_tree: Tree; old_edges: Edges; new_edges: Edges; old_traces: number; new_traces: number }

export interface Data {
  kind: "analyze" | "diff"; title: string; version: string; facts: [string, string][] | null;
  sentences: string[] | null; notes: string[] | null; warnings: string[] | null; left_out: string[] | null; why: Why | null;
  trace: Trace; by: string; names: string[]; modules: string[]; module_of: number[];
  functions: Record<string, Column>; rows: Rows; details: Detail[] | null; edges: Edges; tree: Tree | null; comparison: Diff | null;
}

// readData decodes the data in the page.
export async function readData(): Promise<Data> {
  const text = document.getElementById("data")!.textContent!;
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// moduleName is the last part of a path.
export function moduleName(path: string): string { return path.slice(path.lastIndexOf("/") + 1) || path; }
