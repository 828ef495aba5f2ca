//go:build linux

package bench

import (
	"io"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"utrace/record"
	"utrace/record/plan"
	"utrace/record/test/harness"
)

// sideBySide measures a rate alone, while utrace records as cfg says, with an empty program at the
// same sites (the floor), and while bpftrace runs a script. They take turns. It reports what each
// leaves of the rate alone, by medians of the rounds.
func sideBySide(b *testing.B, cfg record.Config, script string, rate func() float64) {
	const rounds = 5
	var flags []string
	for _, pid := range cfg.PIDs {
		flags = append(flags, "-p", strconv.Itoa(pid))
	}
	for _, probe := range cfg.Probes {
		flags = append(flags, "-e", probe.Text)
	}
	for _, preset := range cfg.Presets {
		flags = append(flags, "--preset", preset)
	}
	for b.Loop() {
		var alone, traced, floor, printed, lost, events []float64
		for range rounds {
			rate() // warm up
			alone = append(alone, rate())

			rec := harness.StartRecorder(b, flags...)
			rec.Await(b)
			traced = append(traced, rate())
			rec.Stop(b)
			r := harness.Analyze(b, rec.Trace)
			lost = append(lost, float64(r.Trace.Lost))
			events = append(events, float64(r.Trace.Events))

			detach := attachFloor(b, cfg)
			floor = append(floor, rate())
			detach()

			if _, err := exec.LookPath("bpftrace"); err == nil {
				probe := exec.Command("bpftrace", "-e", script)
				if err := probe.Start(); err != nil { // its output goes to /dev/null
					b.Fatal(err)
				}
				time.Sleep(2 * time.Second) // until it has attached
				printed = append(printed, rate())
				probe.Process.Kill()
				probe.Wait()
			}
		}
		b.ReportMetric(median(alone), "alone/s")
		b.ReportMetric(median(traced)/median(alone), "utrace-keeps")
		b.ReportMetric(median(floor)/median(alone), "floor-keeps")
		if len(printed) > 0 {
			b.ReportMetric(median(printed)/median(alone), "bpftrace-keeps")
		}
		sum := 0.0
		for _, n := range lost {
			sum += n
		}
		b.ReportMetric(sum, "lost")
		b.ReportMetric(median(events), "events")
	}
	b.ReportMetric(0, "ns/op")
}

// attachFloor attaches an empty program where utrace would attach, and raises the same semaphores.
// It leaves out return instructions.
func attachFloor(b *testing.B, cfg record.Config) (detach func()) {
	b.Helper()
	planned, err := plan.New(cfg.Config)
	if err != nil {
		b.Fatal(err)
	}
	defer planned.Close()
	empty, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceUprobeMulti, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		b.Fatal(err)
	}
	var links []link.Link
	for _, m := range planned.Modules {
		ex, err := link.OpenExecutable(m.Path)
		if err != nil {
			b.Fatal(err)
		}
		var opts, returns link.UprobeMultiOptions
		if len(m.PIDs) > 0 {
			opts.PID, returns.PID = uint32(m.PIDs[0]), uint32(m.PIDs[0])
		}
		for _, fn := range m.Funcs {
			sites := slices.Concat(fn.USDTSites, fn.Raised)
			if len(fn.USDTSites) == 0 {
				sites = append(sites, plan.USDTSite{FileOff: fn.FileOff})
			}
			for _, site := range sites {
				opts.Addresses = append(opts.Addresses, site.FileOff)
				opts.RefCtrOffsets = append(opts.RefCtrOffsets, site.SemaphoreOff)
			}
			if fn.ReturnBy == plan.ByTrampoline {
				returns.Addresses = append(returns.Addresses, fn.FileOff)
			}
		}
		l, err := ex.UprobeMulti(nil, empty, &opts)
		if err != nil {
			b.Fatal(err)
		}
		links = append(links, l)
		if len(returns.Addresses) > 0 {
			if l, err = ex.UretprobeMulti(nil, empty, &returns); err != nil {
				b.Fatal(err)
			}
			links = append(links, l)
		}
	}
	return func() {
		for _, l := range links {
			l.Close()
		}
		empty.Close()
	}
}

// BenchmarkPythonServer: requests per second of Python's http.server, with all functions recorded,
// and with bpftrace printing the returns.
func BenchmarkPythonServer(b *testing.B) {
	harness.NeedPython(b)
	s := harness.StartPythonServer(b)
	pid := strconv.Itoa(s.PID)
	script := "usdt:" + harness.Python + ":python:function__return /pid == " + pid + "/ { printf(\"%s %s\\n\", str(arg0), str(arg1)); }"
	sideBySide(b, record.Config{Config: plan.Config{Presets: []string{"python"}, PIDs: []int{s.PID}}}, script, func() float64 { return requests(s) })
}

// requests returns the requests per second of four clients that ask for a page again and again.
func requests(s *harness.PythonServer) float64 {
	const lasts = 2 * time.Second
	address := strings.TrimSuffix(strings.TrimPrefix(s.URL, "http://"), "/page.html")
	var n atomic.Int64
	var clients sync.WaitGroup
	start := time.Now()
	for range 4 {
		clients.Go(func() {
			for time.Since(start) < lasts {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					continue
				}
				io.WriteString(conn, "GET /page.html HTTP/1.0\r\n\r\n")
				if got, _ := io.Copy(io.Discard, conn); got > 2000 {
					n.Add(1)
				}
				conn.Close()
			}
		})
	}
	clients.Wait()
	return float64(n.Load()) / time.Since(start).Seconds()
}

// BenchmarkPostgres: transactions per second of pgbench -S, with the queries recorded, and with
// bpftrace printing their beginnings and ends.
func BenchmarkPostgres(b *testing.B) {
	p := harness.StartPostgres(b)
	const at = "usdt:" + harness.PostgresBin + "/postgres:postgresql:query__"
	script := at + `start { printf("start %d\n", tid); } ` + at + `done { printf("done %d\n", tid); }`
	tps := regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)
	sideBySide(b, record.Config{Config: plan.Config{Probes: parseProbes(b, at+"start")}}, script, func() float64 {
		out := p.Pgbench(b, "-n", "-S", "-c", "2", "-T", "2")
		rate, err := strconv.ParseFloat(tps.FindStringSubmatch(out)[1], 64)
		if err != nil {
			b.Fatal(err)
		}
		return rate
	})
}

// BenchmarkAttachPostgres: how long all functions of PostgreSQL take to attach and detach.
func BenchmarkAttachPostgres(b *testing.B) {
	for b.Loop() {
		a := harness.AttachPostgres(b)
		b.ReportMetric(a.Attach.Seconds(), "attach-s")
		b.ReportMetric(a.Detach.Seconds(), "detach-s")
		b.ReportMetric(float64(a.Functions), "functions")
	}
	b.ReportMetric(0, "ns/op")
}
