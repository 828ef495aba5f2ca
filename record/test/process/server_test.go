//go:build linux

package process

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"utrace/format"
	"utrace/record/test/harness"
)

// These tests put a Go server (testdata/targets/web) under load.

// soak returns how long each load lasts. make soak sets it.
func soak(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("UTRACE_SOAK")
	if text == "" {
		return 2 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// load requests the paths in turn, over four connections, and returns how often it requested each.
func load(t *testing.T, addr string, paths []string, lasts time.Duration) map[string]uint64 {
	t.Helper()
	total := map[string]uint64{}
	var (
		mu sync.Mutex
		wg sync.WaitGroup
	)
	for range 4 {
		wg.Go(func() {
			client := http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second}
			defer client.CloseIdleConnections()
			asked := map[string]uint64{}
			for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				for _, path := range paths {
					// If a connection turns out to be closed, the client repeats requests that it
					// may send twice. It may not send a POST twice.
					resp, err := client.Post("http://"+addr+path, "text/plain", strings.NewReader("x"))
					asked[path]++
					if err == nil {
						_, err = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					}
					if (err != nil) != (path == "/abort") {
						t.Errorf("%s: %v", path, err)
						return
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for path, n := range asked {
				total[path] += n
			}
		})
	}
	wg.Wait()
	return total
}

// TestGoServer: each request is one call of its handler, and the calls of each goroutine are
// nested, while stacks grow and panics are recovered.
func TestGoServer(t *testing.T) {
	harness.NeedKernel(t)
	for _, c := range []struct {
		name  string
		flags []string
		paths []string
	}{
		{"plain", nil, []string{"/plain"}},
		{"stripped", []string{"-ldflags=-s -w"}, []string{"/plain"}},
		{"growing", nil, []string{"/plain", "/grow", "/recovered", "/abort"}},
		{"growing stripped", []string{"-ldflags=-s -w"}, []string{"/grow", "/plain", "/abort", "/recovered"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			trace := filepath.Join(t.TempDir(), "trace.arrow")
			cmd := exec.Command(harness.Binary(), "record", "-o", trace, "-e", "main.*", "-e", "net/http.*", "--", harness.GoTarget(t, "web", c.flags...))
			var stderr strings.Builder
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Signal(os.Interrupt) // if the test fails
			lines := bufio.NewReader(stdout)
			addr, err := lines.ReadString('\n')
			if err != nil {
				cmd.Wait()
				t.Fatalf("the server does not start: %v\n%s", err, &stderr)
			}
			addr = strings.TrimSpace(addr)
			asked := load(t, addr, c.paths, soak(t))
			if _, err := http.Get("http://" + addr + "/quit"); err != nil {
				t.Error(err)
			}
			served, _ := io.ReadAll(lines)
			if err := cmd.Wait(); err != nil {
				t.Fatalf("record: %v\n%s", err, &stderr)
			}
			want := fmt.Sprintln(asked["/plain"], asked["/grow"], asked["/recovered"], asked["/abort"])
			if string(served) != want {
				t.Errorf("the server has served %s, was asked for %s", served, want)
			}
			harness.Validate(t, trace)
			r := harness.Analyze(t, trace)
			t.Logf("%v: %d events, %d lost", asked, r.Trace.Events, r.Trace.Lost)
			if r.Trace.Lost > 0 {
				t.Fatal("events were lost")
			}
			harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{
				"main.plain": asked["/plain"], "main.grow": asked["/grow"], "main.recovered": asked["/recovered"], "main.abort": asked["/abort"],
				"main.recovers": asked["/recovered"], "main.deep": 91*asked["/grow"] + 61*asked["/grow"] + 31*asked["/recovered"], "main.quit": 1,
			})
			unwound := map[string]uint64{
				"main.deep": 31 * asked["/recovered"], "main.abort": asked["/abort"], "net/http.HandlerFunc.ServeHTTP": asked["/abort"],
				"net/http.(*ServeMux).ServeHTTP": asked["/abort"], "net/http.serverHandler.ServeHTTP": asked["/abort"],
			}
			maps.DeleteFunc(unwound, func(_ string, n uint64) bool { return n == 0 })
			if got := nested(t, trace); !maps.Equal(got, unwound) {
				t.Errorf("calls that end without a return: %v, want %v", got, unwound)
			}
		})
	}
}

// nested checks, by the events alone, that the calls of each flow are nested. It returns by
// function how many calls were left without a return. Calls that are open at the end do not count.
func nested(t *testing.T, trace string) (unwound map[string]uint64) {
	t.Helper()
	r, err := format.Open(trace)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, w := io.Pipe()
	go func() { w.CloseWithError(format.WriteText(w, r)) }()
	defer text.Close()

	type call struct {
		fn string
		sp uint64
	}
	var names []string
	flows := map[string][]call{}
	unwound = map[string]uint64{}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), `func {"name":"`); ok {
			name, _, _ := strings.Cut(rest, `"`)
			names = append(names, name)
			continue
		}
		f := strings.Fields(lines.Text()) // TIME THREAD KIND FUNC sp=...
		if len(f) < 5 || !strings.HasPrefix(f[4], "sp=") {
			continue
		}
		sp, err := strconv.ParseUint(f[4][len("sp="):], 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		stack := flows[f[1]]
		top := len(stack) - 1
		switch f[2] {
		case "entry":
			if top >= 0 && stack[top].sp <= sp {
				// A panic has left the caller, or more.
				for ; top >= 0 && stack[top].sp <= sp; top-- {
					id, _ := strconv.Atoi(stack[top].fn)
					unwound[names[id]]++
				}
				stack = stack[:top+1]
			}
			flows[f[1]] = append(stack, call{f[3], sp})
		case "return":
			for ; top >= 0 && stack[top] != (call{f[3], sp}); top-- {
				id, _ := strconv.Atoi(stack[top].fn)
				unwound[names[id]]++
			}
			if top < 0 {
				t.Fatalf("a return without an entry: %s", lines.Text())
			}
			flows[f[1]] = stack[:top]
		default:
			t.Errorf("unexpected: %s", lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return unwound
}

// TestGoServerAttached: a server under load serves all requests while probes come and go.
func TestGoServerAttached(t *testing.T) {
	harness.NeedKernel(t)
	server := exec.Command(harness.GoTarget(t, "web"))
	stdout, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Process.Kill()
	lines := bufio.NewReader(stdout)
	addr, _ := lines.ReadString('\n')
	addr = strings.TrimSpace(addr)
	paths := []string{"/plain", "/grow", "/recovered", "/abort"}
	asked := make(chan map[string]uint64)
	lasts := soak(t)
	go func() { asked <- load(t, addr, paths, lasts) }()
	recordings := 0
	for end := time.Now().Add(lasts); time.Now().Before(end); recordings++ {
		trace := filepath.Join(t.TempDir(), "trace.arrow")
		if _, stderr, status := harness.Utrace(t, "record", "-d", "300ms", "-p", strconv.Itoa(server.Process.Pid), "-e", "*", "-o", trace); status != 0 {
			t.Fatalf("status %d\n%s", status, stderr)
		}
		harness.Validate(t, trace)
	}
	want := <-asked
	if _, err := http.Get("http://" + addr + "/quit"); err != nil {
		t.Error(err)
	}
	served, _ := io.ReadAll(lines)
	if err := server.Wait(); err != nil {
		t.Errorf("the server ends: %v", err)
	}
	if want := fmt.Sprintln(want["/plain"], want["/grow"], want["/recovered"], want["/abort"]); string(served) != want {
		t.Errorf("served %s, asked for %s", served, want)
	}
	t.Logf("%d recordings, %v", recordings, want)
}
