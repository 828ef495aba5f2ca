//go:build linux

package runtimes

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// serveHTTP starts Python's own server, and requests pages from it until the test ends. It returns
// the server's PID.
func serveHTTP(t *testing.T) int {
	t.Helper()
	harness.NeedTool(t, harness.Python)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	server, _ := harness.Start(t, harness.Python, "-m", "http.server", "--bind", "127.0.0.1", "--directory", t.TempDir(), addr[strings.LastIndexByte(addr, ':')+1:])
	get := func() bool {
		response, err := http.Get("http://" + addr)
		if err != nil {
			return false
		}
		response.Body.Close()
		return true
	}
	harness.WaitFor(t, get)
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
				get()
			}
		}
	}()
	t.Cleanup(func() {
		close(done)
		<-stopped
	})
	return server.Process.Pid
}

type autoReport struct {
	Functions []struct {
		Name  string
		Calls uint64
		P50Ns uint64 `json:"p50_ns"`
		PIDs  []int
	}
}

func (r *autoReport) has(name string, pid int) bool {
	for _, f := range r.Functions {
		if f.Name == name && f.Calls > 0 && f.P50Ns > 0 && slices.Contains(f.PIDs, pid) {
			return true
		}
	}
	return false
}

// TestAuto records a machine with a server in Python and a program that resolves names. Other
// processes may use probes so much that the limit removes them before these two call anything: then
// the test tries again.
func TestAuto(t *testing.T) {
	harness.NeedKernel(t)
	server := serveHTTP(t)
	client, _ := harness.Start(t, harness.Target(t, "resolver.c", "-O1"))
	var stderr, stdout string
	for range 5 {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		var status int
		_, stderr, status = harness.Utrace(t, "record", "-d", "2s", "-o", trace)
		if status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		harness.Validate(t, trace)
		for _, want := range []string{"chosen: preset python (", "chosen: preset dns ("} {
			if !strings.Contains(stderr, want) {
				t.Errorf("%q is not in:\n%s", want, stderr)
			}
		}
		if strings.Contains(stderr, "preset malloc") || strings.Contains(stderr, "preset io") {
			t.Errorf("too hot to be chosen:\n%s", stderr)
		}
		_, meta := harness.Tables(t, trace)
		if !slices.Contains(meta.Presets, "python") || meta.MaxOverheadPercent != 5 {
			t.Errorf("the trace has presets %q, limit %v%%", meta.Presets, meta.MaxOverheadPercent)
		}
		stdout, _, _ = harness.Utrace(t, "analyze", "--json", trace)
		var r autoReport
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		if r.has("selectors.py.select", server) && r.has("getaddrinfo", client.Process.Pid) {
			text, _, _ := harness.Utrace(t, "analyze", trace)
			if !strings.Contains(text, fmt.Sprintf("# process   %d python3.11: ", server)) || !strings.Contains(text, "Process\n") {
				t.Errorf("the report does not name the processes:\n%s", text)
			}
			return
		}
	}
	t.Errorf("select of process %d and getaddrinfo of process %d are not in the report:\n%s\n%s", server, client.Process.Pid, stderr, stdout)
}

// TestInterpreterByPID: if a process runs a script, the functions of the script are recorded.
func TestInterpreterByPID(t *testing.T) {
	harness.NeedKernel(t)
	server := serveHTTP(t)
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	_, stderr, status := harness.Utrace(t, "record", "-d", "1s", "-p", strconv.Itoa(server), "-o", trace)
	if status != 0 {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	if want := fmt.Sprintf("for python3.11 (process %d)", server); !strings.Contains(stderr, "chosen: preset python") || !strings.Contains(stderr, want) {
		t.Errorf("%q is not in:\n%s", want, stderr)
	}
	if calls := harness.Analyze(t, trace).Calls(); calls["selectors.py.select"] == 0 {
		t.Errorf("calls: %v", calls)
	}
}
