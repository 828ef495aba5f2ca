package analyze

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"utrace/format"
)

// benchEvents is the size of the traces of the benchmarks; UTRACE_BENCH_EVENTS sets another.
func benchEvents(b *testing.B) int {
	text := os.Getenv("UTRACE_BENCH_EVENTS")
	if text == "" {
		return 10_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// benchCosts gives a trace of writeCalls a cost to subtract.
func benchCosts() format.Calibration {
	return format.Calibration{QuietNs: 100, InterruptNs: 10, Sites: []format.SiteCost{{Entry: "emulated", Return: "trampoline", EntryNs: 60, InsideNs: 30, CallNs: 100}}}
}

// BenchmarkReport measures the report over a trace of nested calls, with the cost of probes
// subtracted, and without (raw). With sched, a thread wakes up the next one after 256 events.
func BenchmarkReport(b *testing.B) {
	for _, trace := range []struct {
		threads int
		sched   bool
	}{{1, false}, {8, false}, {8, true}} {
		n := benchEvents(b)
		path := filepath.Join(b.TempDir(), fmt.Sprintf("threads%d%v.arrow", trace.threads, trace.sched))
		writeTraceOfCalls(b, path, n, trace.threads, trace.sched, benchCosts())
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		for _, raw := range []bool{false, true} {
			b.Run(fmt.Sprintf("threads=%d/sched=%v/raw=%v", trace.threads, trace.sched, raw), func(b *testing.B) {
				forgetPeak()
				before := cpuSeconds()
				for b.Loop() {
					r, err := Report([]string{path}, Options{Raw: raw})
					if err != nil || r.Trace.Events != uint64(n) {
						b.Fatal(err, r.Trace, r.Warnings)
					}
				}
				cpu := cpuSeconds() - before
				events := float64(n) * float64(b.N)
				b.ReportMetric(events/b.Elapsed().Seconds()/1e6, "Mevents/s")
				b.ReportMetric(cpu*1e9/events, "cpu-ns/event")
				b.ReportMetric(float64(info.Size())/float64(n), "bytes/event")
				b.ReportMetric(peakMiB(), "peak-MiB")
			})
		}
	}
}

// BenchmarkRepeated measures the report over the trace of BenchmarkReport with 8 threads, repeated
// UTRACE_BENCH_REPEAT times. Speed and memory must not depend on that.
func BenchmarkRepeated(b *testing.B) {
	times, err := strconv.Atoi(cmp.Or(os.Getenv("UTRACE_BENCH_REPEAT"), "2"))
	if err != nil {
		b.Fatal(err)
	}
	n := benchEvents(b)
	dir := b.TempDir()
	once, path := filepath.Join(dir, "once.arrow"), filepath.Join(dir, "trace.arrow")
	writeCalls(b, once, n, 8, benchCosts())
	repeatTrace(b, once, path, times)
	b.ResetTimer()
	forgetPeak()
	before := cpuSeconds()
	for b.Loop() {
		r, err := Report([]string{path}, Options{})
		if err != nil || r.Trace.Events != uint64(n*times) {
			b.Fatal(err, r.Trace, r.Warnings)
		}
	}
	events := float64(n) * float64(times) * float64(b.N)
	b.ReportMetric(events/b.Elapsed().Seconds()/1e6, "Mevents/s")
	b.ReportMetric((cpuSeconds()-before)*1e9/events, "cpu-ns/event")
	b.ReportMetric(peakMiB(), "peak-MiB")
}

// repeatTrace copies a trace with its batches of events several times over. Threads continue where
// they were. The footer is wrong: only this module can read the copy.
func repeatTrace(tb testing.TB, from, to string, times int) {
	data, err := os.ReadFile(from)
	if err != nil {
		tb.Fatal(err)
	}
	r, err := format.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		tb.Fatal(err)
	}
	last := r.Offset() // the end of the last batch of events
	decoder, err := format.NewDecoder()
	if err != nil {
		tb.Fatal(err)
	}
	defer decoder.Close()
	var events [][]byte
	var m format.Message
	var b format.Batch
	for r.Next(&m) == nil {
		if err := decoder.Decode(&m, format.Columns{None: true}, &b); err != nil {
			tb.Fatal(err)
		}
		if len(b.Defs) == 0 {
			start, end := m.Range()
			events, last = append(events, data[start:end]), end
		}
	}
	f, err := os.Create(to)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	w.Write(data[:last])
	for range times - 1 {
		for _, batch := range events {
			w.Write(batch)
		}
	}
	w.Write(data[last:])
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkDigest measures a digest over the trace of BenchmarkReport with 8 threads.
func BenchmarkDigest(b *testing.B) {
	for _, sched := range []bool{false, true} {
		n := benchEvents(b)
		path := filepath.Join(b.TempDir(), fmt.Sprintf("%v.arrow", sched))
		writeTraceOfCalls(b, path, n, 8, sched, benchCosts())
		b.Run(fmt.Sprintf("sched=%v", sched), func(b *testing.B) {
			forgetPeak()
			before := cpuSeconds()
			for b.Loop() {
				d, err := MakeDigest([]string{path}, Options{})
				if err != nil || d.Trace.Events != uint64(n) || len(d.Roots) == 0 {
					b.Fatal(err, d)
				}
			}
			events := float64(n) * float64(b.N)
			b.ReportMetric(events/b.Elapsed().Seconds()/1e6, "Mevents/s")
			b.ReportMetric((cpuSeconds()-before)*1e9/events, "cpu-ns/event")
			b.ReportMetric(peakMiB(), "peak-MiB")
		})
	}
}

// BenchmarkCompareCalls measures the comparison of the calls of a function that is called often. In
// a trace of writeCalls, its calls have hundreds of different paths.
func BenchmarkCompareCalls(b *testing.B) {
	n := benchEvents(b)
	path := filepath.Join(b.TempDir(), "trace.arrow")
	writeCalls(b, path, n, 8, benchCosts())
	pattern, err := ParsePattern("f1")
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	forgetPeak()
	before := cpuSeconds()
	calls, paths := uint64(0), 0
	for b.Loop() {
		c, err := CompareCalls([]string{path}, pattern, Options{}, slowestTenth)
		if err != nil || c.Trace.Events != uint64(n) || c.Groups[SlowClass].Calls == 0 {
			b.Fatal(err, c)
		}
		calls, paths = c.Stats.Durations.Count(), len(c.Sums.Nodes)
	}
	events := float64(n) * float64(b.N)
	b.ReportMetric(events/b.Elapsed().Seconds()/1e6, "Mevents/s")
	b.ReportMetric((cpuSeconds()-before)*1e9/events, "cpu-ns/event")
	b.ReportMetric(peakMiB(), "peak-MiB")
	b.ReportMetric(float64(calls), "calls")
	b.ReportMetric(float64(paths), "paths")
}

// writeCalls writes a trace of n events: threads of a server of 300 functions that call each other
// down to 24 levels. Each function calls what it called the last time, with one call in eight left
// out or taken at random.
func writeCalls(tb testing.TB, path string, n, threads int, costs ...format.Calibration) {
	writeTraceOfCalls(tb, path, n, threads, false, costs...)
}

// writeTraceOfCalls does that with or without rows of the scheduler.
func writeTraceOfCalls(tb testing.TB, path string, n, threads int, sched bool, costs ...format.Calibration) {
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	w, err := format.NewWriter(f, format.Meta{Host: "bench", Sched: sched})
	if err != nil {
		tb.Fatal(err)
	}
	m := w.AddModule(format.Module{Path: "/usr/bin/bench"})
	const funcs = 300
	for i := range funcs {
		w.AddFunc(format.Func{Name: fmt.Sprintf("f%d", i), Module: m, Addr: uint64(i) * 64, EntryClass: "emulated", ReturnClass: "trampoline"})
	}
	for _, c := range costs {
		w.AddCalibration(c)
	}
	type call struct {
		fn    format.FuncID
		sp    uint64
		calls int // made so far
	}
	stacks := make([][]call, threads)
	for i := range stacks {
		w.AddThread(format.Thread{PID: 1, TID: 1 + i, Comm: "bench"})
		stacks[i] = []call{{fn: format.FuncID(i % funcs), sp: 0x7fff_0000}} // was running before
	}
	rng := rand.New(rand.NewPCG(1, 2))
	now := uint64(0)
	th := 0
	for i := range n {
		if i%256 == 0 {
			next := rng.IntN(threads)
			if sched && next != th {
				appendSwitch(tb, w, now, th, next)
			}
			th = next
		}
		now += 200 + rng.Uint64()%64
		st := stacks[th]
		top := &st[len(st)-1]
		e := format.Event{TimeNs: now, Thread: format.ThreadID(th), CPU: uint16(th)}
		left := int(top.fn)%5 - top.calls // calls that it still makes
		if len(st) == 24 {
			left = 0
		}
		top.calls++
		luck := rng.IntN(8)
		switch {
		case len(st) == 1 || left > 0 && luck != 0:
			fn := (top.fn*7 + 1 + format.FuncID(top.calls)) % funcs
			if luck == 1 {
				fn = format.FuncID(rng.IntN(funcs))
			}
			e.Func, e.SP, e.Kind = fn, top.sp-48-uint64(top.fn%4)*16, format.Entry
			st = append(st, call{fn: fn, sp: e.SP})
		default:
			e.Func, e.SP, e.Kind = top.fn, top.sp, format.Return
			st = st[:len(st)-1]
		}
		stacks[th] = st
		if err := w.Append(&e); err != nil {
			tb.Fatal(err)
		}
		if w.Pending() >= format.BatchRows {
			if err := w.Flush(); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := w.Close(format.End{Stop: format.Anchor{MonoNs: int64(now)}}); err != nil {
		tb.Fatal(err)
	}
}

// appendSwitch has a thread wake up another one, and wait itself.
func appendSwitch(tb testing.TB, w *format.Writer, now uint64, from, to int) {
	for _, e := range []format.Event{
		{Kind: format.Wakeup, Thread: format.ThreadID(to), Value: uint64(1 + from)},
		{Kind: format.SchedOut, Thread: format.ThreadID(from), Value: 1},
		{Kind: format.SchedIn, Thread: format.ThreadID(to)},
	} {
		e.TimeNs = now
		if err := w.Append(&e); err != nil {
			tb.Fatal(err)
		}
	}
}

// peakMiB is the peak memory of the process, 0 if it is unknown.
func peakMiB() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseFloat(strings.Fields(kib)[0], 64)
			return n / 1024
		}
	}
	return 0
}

// forgetPeak makes peakMiB start again from the memory in use now.
func forgetPeak() {
	debug.FreeOSMemory()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // proc(5); without effect elsewhere
}

// cpuSeconds is the processor time of the process in user mode, in steps of 10 ms; 0 if it is
// unknown.
func cpuSeconds() float64 {
	stat, _ := os.ReadFile("/proc/self/stat")
	_, rest, ok := strings.Cut(string(stat), ") ")
	if !ok {
		return 0
	}
	ticks, _ := strconv.ParseFloat(strings.Fields(rest)[11], 64)
	return ticks / 100
}
