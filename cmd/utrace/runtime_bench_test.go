//go:build linux

package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sideBySide measures a rate of something alone, while utrace records it with some flags, and while bpftrace
// runs a script, in turn, and reports what each leaves of the first: the median of the rounds.
func sideBySide(b *testing.B, flags []string, script string, rate func() float64) {
	const rounds = 5
	for b.Loop() {
		var alone, traced, printed, lost, events []float64
		for range rounds {
			rate() // warm up
			alone = append(alone, rate())

			trace := filepath.Join(b.TempDir(), "trace.arrow")
			rec := exec.Command(utracePath, append([]string{"record", "-o", trace, "--force"}, flags...)...)
			var stderr bytes.Buffer
			rec.Stderr = &stderr
			if err := rec.Start(); err != nil {
				b.Fatal(err)
			}
			awaitTrace(b, trace, &stderr)
			traced = append(traced, rate())
			rec.Process.Signal(os.Interrupt)
			if err := rec.Wait(); err != nil {
				b.Fatalf("%v\n%s", err, stderr.String())
			}
			r := analyzeTrace(b, trace)
			lost = append(lost, float64(r.Trace.Lost))
			events = append(events, float64(r.Trace.Events))

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

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// BenchmarkPythonServer: requests/s of Python's http.server, with all its functions recorded, and
// with bpftrace printing the returns.
func BenchmarkPythonServer(b *testing.B) {
	needPython(b)
	s := startPythonServer(b)
	pid := strconv.Itoa(s.pid)
	script := "usdt:" + python + ":python:function__return /pid == " + pid + "/ { printf(\"%s %s\\n\", str(arg0), str(arg1)); }"
	sideBySide(b, []string{"--preset", "python", "-p", pid}, script, s.requests)
}

// requests returns the requests/s of four clients that ask for a page again and again.
func (s *pythonServer) requests() float64 {
	const lasts = 2 * time.Second
	address := strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/page.html")
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

// BenchmarkPostgres: transactions/s of pgbench -S, with the queries recorded, and with bpftrace printing their
// beginnings and ends.
func BenchmarkPostgres(b *testing.B) {
	p := startPostgres(b)
	const at = "usdt:" + postgresBin + "/postgres:postgresql:query__"
	script := at + `start { printf("start %d\n", tid); } ` + at + `done { printf("done %d\n", tid); }`
	tps := regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)
	sideBySide(b, []string{"-e", at + "start"}, script, func() float64 {
		out := p.pgbench(b, "-n", "-S", "-c", "2", "-T", "2")
		rate, err := strconv.ParseFloat(tps.FindStringSubmatch(out)[1], 64)
		if err != nil {
			b.Fatal(err)
		}
		return rate
	})
}
