//go:build linux

package bench

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"utrace/record"
	"utrace/record/plan"
	"utrace/record/test/harness"
)

// BenchmarkRedis measures by how much probes reduce the throughput of redis-server under
// redis-benchmark: with entries and returns of two functions recorded, with bpftrace printing them,
// and with an empty program at the same sites. They take turns with the server alone, and medians
// are reported. Redis counts its commands: the trace must have each.
func BenchmarkRedis(b *testing.B) {
	harness.NeedKernel(b)
	for _, name := range []string{"redis-server", "redis-benchmark", "bpftrace"} {
		harness.NeedTool(b, name)
	}
	const turns = 3
	trace := filepath.Join(b.TempDir(), "trace.arrow")
	s := startRedis(b)
	script := ""
	for _, fn := range []string{"processCommand", "call"} {
		script += "uprobe:" + s.path + ":" + fn + " { printf(\"%lu %d entry " + fn + "\\n\", nsecs, tid); } " +
			"uretprobe:" + s.path + ":" + fn + " { printf(\"%lu %d return " + fn + "\\n\", nsecs, tid); } "
	}
	for b.Loop() {
		var alone, floor, ours, theirs []float64
		for range turns {
			base := s.throughput(b)
			detach := background(b, harness.Binary(), "record", "--force", "-o", trace, "-e", "processCommand", "-e", "call", "-p", strconv.Itoa(s.pid))
			awaitBreakpoint(b, s.path, "processCommand", s.pid)
			before := s.commands(b)
			recorded := s.throughput(b)
			after := s.commands(b)
			detach()
			// The answer to the second question does not count that question.
			want := after - before + 1
			r := harness.Analyze(b, trace)
			if calls := r.Calls(); calls["processCommand"] != want || calls["call"] != want || r.Trace.Lost > 0 || len(r.Incomplete()) > 0 {
				b.Errorf("%d commands, recorded calls %v, incomplete %v, %d events lost", want, calls, r.Incomplete(), r.Trace.Lost)
			}
			detach = attachFloor(b, record.Config{Config: plan.Config{PIDs: []int{s.pid}, Probes: parseProbes(b, "processCommand", "call")}})
			empty := s.throughput(b)
			detach()
			detach = background(b, "bpftrace", "-p", strconv.Itoa(s.pid), "-e", script)
			awaitBreakpoint(b, s.path, "processCommand", s.pid)
			printed := s.throughput(b)
			detach()
			alone, floor = append(alone, base), append(floor, empty/base)
			ours, theirs = append(ours, recorded/base), append(theirs, printed/base)
		}
		b.ReportMetric(median(alone), "alone-requests/s")
		b.ReportMetric(median(floor), "floor/alone")
		b.ReportMetric(median(ours), "utrace/alone")
		b.ReportMetric(median(theirs), "bpftrace/alone")
	}
	b.ReportMetric(0, "ns/op")
}

// redis is a running redis-server.
type redis struct {
	pid  int
	path string // of its program
	port string
	conn net.Conn
}

func startRedis(b *testing.B) *redis {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // for a free port
	if err != nil {
		b.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	cmd := exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", b.TempDir())
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	s := &redis{pid: cmd.Process.Pid, port: port}
	for range 100 {
		if s.conn, err = net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.conn.Close() })
	if s.path, err = os.Readlink("/proc/" + strconv.Itoa(s.pid) + "/exe"); err != nil {
		b.Fatal(err)
	}
	return s
}

// throughput returns the GETs per second.
func (s *redis) throughput(b *testing.B) float64 {
	b.Helper()
	out, err := exec.Command("redis-benchmark", "-p", s.port, "-t", "get", "-n", "50000", "-q").Output()
	if err != nil {
		b.Fatal(err)
	}
	rows := regexp.MustCompile(`([0-9.]+) requests per second`).FindAllSubmatch(out, -1)
	if len(rows) == 0 {
		b.Fatalf("redis-benchmark prints %q", out)
	}
	v, err := strconv.ParseFloat(string(rows[len(rows)-1][1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// commands asks the server how many commands it has served.
func (s *redis) commands(b *testing.B) uint64 {
	b.Helper()
	if _, err := io.WriteString(s.conn, "INFO stats\r\n"); err != nil {
		b.Fatal(err)
	}
	r := bufio.NewReader(s.conn)
	head, err := r.ReadString('\n') // $ and the length of what follows
	if err != nil {
		b.Fatal(err)
	}
	n, err := strconv.Atoi(strings.Trim(head, "$\r\n"))
	if err != nil {
		b.Fatal(err)
	}
	text := make([]byte, n+len("\r\n"))
	if _, err := io.ReadFull(r, text); err != nil {
		b.Fatal(err)
	}
	row := regexp.MustCompile(`total_commands_processed:(\d+)`).FindSubmatch(text)
	if row == nil {
		b.Fatalf("INFO stats prints %q", text)
	}
	count, _ := strconv.ParseUint(string(row[1]), 10, 64)
	return count
}

func parseProbes(tb testing.TB, texts ...string) []*record.Probe {
	tb.Helper()
	probes, err := record.ParseProbes(texts...)
	if err != nil {
		tb.Fatal(err)
	}
	return probes
}
