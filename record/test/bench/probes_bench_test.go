//go:build linux

package bench

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"utrace/record/test/harness"
)

// BenchmarkProbes measures what a call costs a program, in its own processor time, while its entry
// and return are probed. It compares, by how the function begins, an empty program at the site that
// utrace chooses (floor), utrace, bpftrace counting, and bpftrace making a histogram of durations
// as funclatency does (latency). They take turns, each on a process of its own that waits until it
// is attached. Medians are reported, of times and of ratios within a turn.
func BenchmarkProbes(b *testing.B) {
	harness.NeedKernel(b)
	harness.NeedTool(b, "bpftrace")
	bin := harness.Target(b, "sites.c", "-O1")
	const turns = 7
	for _, fn := range []string{"begins_push", "begins_endbr64", "begins_nop5", "begins_mov"} {
		b.Run(fn, func(b *testing.B) {
			trace := filepath.Join(b.TempDir(), "trace.arrow")
			entry, exit := "uprobe:"+bin+":"+fn, "uretprobe:"+bin+":"+fn
			count := entry + " { @e = count(); } " + exit + " { @r = count(); }"
			histogram := entry + " { @start[tid] = nsecs; } " + exit + " /@start[tid]/ { @ns = hist(nsecs - @start[tid]); delete(@start[tid]); }"
			for b.Loop() {
				var floor, ours, counting, latency, toFloor, toCounting, toLatency []float64
				for i := range turns {
					f := timeCalls(b, bin, fn, func(pid int) func() { return attachEmpty(b, bin, fn, pid) })
					u := timeCalls(b, bin, fn, func(pid int) func() {
						return background(b, harness.Binary(), "record", "--force", "-o", trace, "-e", fn, "-p", strconv.Itoa(pid))
					})
					bpftrace := func(script string) float64 {
						return timeCalls(b, bin, fn, func(pid int) func() {
							return background(b, "bpftrace", "-p", strconv.Itoa(pid), "-e", script)
						})
					}
					c, l := bpftrace(count), bpftrace(histogram)
					if r := harness.Analyze(b, trace); r.Trace.Lost > 0 || i == 0 && r.Calls()[fn] == 0 {
						b.Errorf("%d calls, %d events lost", r.Calls()[fn], r.Trace.Lost)
					}
					floor, ours, counting, latency = append(floor, f), append(ours, u), append(counting, c), append(latency, l)
					toFloor, toCounting, toLatency = append(toFloor, u/f), append(toCounting, u/c), append(toLatency, u/l)
				}
				b.ReportMetric(median(floor), "floor-ns/call")
				b.ReportMetric(median(ours), "utrace-ns/call")
				b.ReportMetric(median(counting), "bpftrace-count-ns/call")
				b.ReportMetric(median(latency), "bpftrace-latency-ns/call")
				b.ReportMetric(median(toFloor), "utrace/floor")
				b.ReportMetric(median(toCounting), "utrace/bpftrace-count")
				b.ReportMetric(median(toLatency), "utrace/bpftrace-latency")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkDrop measures the cost of a call that the kernel side drops: by a condition on one
// argument, on two, by a text, and by its duration. An empty program at the same sites is measured
// for comparison. They take turns.
func BenchmarkDrop(b *testing.B) {
	harness.NeedKernel(b)
	bin := harness.Target(b, "sites.c", "-O1")
	const turns = 7
	for _, fn := range []string{"begins_push", "begins_nop5"} {
		for name, probe := range map[string][]string{
			"number":   {"-e", fn + " if arg1 == 123456789012345"},
			"two":      {"-e", fn + " if arg1 != 123456789012345 && arg2 == 123456789012345"},
			"text":     {"-e", fn + `(ptr, ptr, name:str) if name =~ "*.internal"`},
			"duration": {"-e", fn, "--slower-than", "10s"},
		} {
			b.Run(fn+"/"+name, func(b *testing.B) {
				trace := filepath.Join(b.TempDir(), "trace.arrow")
				for b.Loop() {
					var floor, ours, toFloor []float64
					for range turns {
						f := timeCalls(b, bin, fn, func(pid int) func() { return attachEmpty(b, bin, fn, pid) })
						u := timeCalls(b, bin, fn, func(pid int) func() {
							return background(b, harness.Binary(), append([]string{"record", "--force", "-o", trace, "-p", strconv.Itoa(pid)}, probe...)...)
						})
						if r := harness.Analyze(b, trace); r.Trace.Events > 0 || r.Trace.Lost > 0 {
							b.Errorf("%d events, %d lost", r.Trace.Events, r.Trace.Lost)
						}
						floor, ours, toFloor = append(floor, f), append(ours, u), append(toFloor, u/f)
					}
					b.ReportMetric(median(floor), "floor-ns/call")
					b.ReportMetric(median(ours), "utrace-ns/call")
					b.ReportMetric(median(toFloor), "utrace/floor")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// median returns the middle value.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// timeCalls starts the program, attaches to it, and returns what a call costs it, in nanoseconds.
func timeCalls(b *testing.B, bin, fn string, attach func(pid int) (detach func())) float64 {
	b.Helper()
	return timeWaiting(b, exec.Command(bin, fn, "0.5", "wait"), func(pid int) func() {
		detach := attach(pid)
		awaitBreakpoint(b, bin, fn, pid)
		return detach
	})
}

// timeWaiting starts a program that waits for a line, attaches to it, and returns the number that
// it prints.
func timeWaiting(b *testing.B, cmd *exec.Cmd, attach func(pid int) (detach func())) float64 {
	b.Helper()
	var out bytes.Buffer
	cmd.Stdout = &out
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	detach := attach(cmd.Process.Pid)
	io.WriteString(stdin, "\n")
	err = cmd.Wait()
	detach()
	if err != nil {
		b.Fatal(err)
	}
	ns, err := strconv.ParseFloat(strings.TrimSpace(out.String()), 64)
	if err != nil {
		b.Fatal(err)
	}
	return ns
}

// awaitBreakpoint waits until there is a breakpoint in the first bytes of the function, and 300 ms
// more: the one of the return may come later.
func awaitBreakpoint(b *testing.B, bin, fn string, pid int) {
	b.Helper()
	file, err := elf.Open(bin)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.Symbols()
	if errors.Is(err, elf.ErrNoSymbols) {
		symbols, err = file.DynamicSymbols()
	}
	if err != nil {
		b.Fatal(err)
	}
	i := slices.IndexFunc(symbols, func(s elf.Symbol) bool { return s.Name == fn })
	if i < 0 {
		b.Fatalf("no symbol %s", fn)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		b.Fatal(err)
	}
	defer mem.Close()
	const int3 = 0xcc
	code := make([]byte, min(symbols[i].Size, 16))
	for range 300 {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
		if err != nil {
			b.Fatal(err)
		}
		if row := regexp.MustCompile(`(?m)^([0-9a-f]+)-\S+ \S+ 00000000 .*` + regexp.QuoteMeta(bin) + `$`).FindSubmatch(maps); row != nil {
			base, _ := strconv.ParseInt(string(row[1]), 16, 64)
			if _, err := mem.ReadAt(code, base+int64(symbols[i].Value)); err == nil && slices.Contains(code, int3) {
				time.Sleep(300 * time.Millisecond)
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.Fatalf("no breakpoint in %s after 30 s", fn)
}

// background starts a program that ends when its target does. The returned function interrupts it
// otherwise, and waits for it.
func background(b *testing.B, name string, args ...string) (stop func()) {
	b.Helper()
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if b.Failed() {
			b.Logf("%s: %s", name, out.String())
		}
	})
	return func() {
		b.Helper()
		for after, sig := range map[time.Duration]os.Signal{
			2 * time.Second: os.Interrupt,
			time.Minute:     syscall.SIGABRT, // it hangs: Go shows where
		} {
			defer time.AfterFunc(after, func() { cmd.Process.Signal(sig) }).Stop()
		}
		if err := cmd.Wait(); err != nil {
			b.Fatalf("%s: %v\n%s", name, err, out.String())
		}
	}
}

// attachEmpty attaches an empty program to a process, at the sites and by the method that utrace
// plan prints.
func attachEmpty(b *testing.B, bin, fn string, pid int) (detach func()) {
	b.Helper()
	stdout, stderr, status := harness.Utrace(b, "plan", "--no-follow", "-e", fn, bin)
	row := regexp.MustCompile(`(?m)^0x([0-9a-f]+) \+(\d+) .*uretprobe +` + fn).FindStringSubmatch(stdout)
	if status != 0 || row == nil {
		b.Fatalf("plan: %s%s", stdout, stderr)
	}
	addr, _ := strconv.ParseUint(row[1], 16, 64)
	site, _ := strconv.ParseUint(row[2], 10, 64)
	ex, err := link.OpenExecutable(bin)
	if err != nil {
		b.Fatal(err)
	}
	var links []link.Link
	for _, multi := range []func([]string, *ebpf.Program, *link.UprobeMultiOptions) (link.Link, error){ex.UprobeMulti, ex.UretprobeMulti} {
		empty, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceUprobeMulti, License: "GPL",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		})
		if err != nil {
			b.Fatal(err)
		}
		defer empty.Close() // the link keeps it
		// A position-independent program has its code at the same offset as its address.
		l, err := multi(nil, empty, &link.UprobeMultiOptions{Addresses: []uint64{addr + site}, PID: uint32(pid)})
		if err != nil {
			b.Fatal(err)
		}
		links = append(links, l)
	}
	return func() {
		for _, l := range links {
			l.Close()
		}
	}
}
