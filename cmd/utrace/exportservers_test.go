//go:build linux

package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/pprof/profile"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"utrace/analyze"
)

// What a collector at a loopback address receives are the slowest calls of the trace. A file has the
// same message.
func TestExportSpans(t *testing.T) {
	const demo = "../../testdata/traces/demo.arrow"
	var mu sync.Mutex
	var received []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		message, err := io.ReadAll(z)
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Error(r.URL, err)
		}
		mu.Lock()
		defer mu.Unlock()
		received = append(received, message...)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "spans.pb")
	const n = 1500 // more than one request
	for _, to := range []string{server.URL, file} {
		_, stderr, status := inProcess(t, "export", "--otlp", to, "--slowest", fmt.Sprint(n), demo)
		if status != 0 || !strings.Contains(stderr, "only the slowest 1500 calls are spans") {
			t.Fatalf("status %d: %s", status, stderr)
		}
	}
	if written, err := os.ReadFile(file); err != nil || string(written) != string(received) {
		t.Errorf("the file has %d bytes, the collector received %d: %v", len(written), len(received), err)
	}
	var data trace.TracesData
	if err := proto.Unmarshal(received, &data); err != nil {
		t.Fatal(err)
	}
	slow, err := analyze.Slowest([]string{demo}, n, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, c := range slow.Calls {
		want = append(want, fmt.Sprint(c.Function.Name, " ", c.Began.UnixNano(), " ", int64(c.Duration)))
	}
	for _, r := range data.ResourceSpans {
		for _, s := range r.ScopeSpans[0].Spans {
			for _, a := range s.Attributes {
				if a.Key == "utrace.duration_ns" {
					got = append(got, fmt.Sprint(s.Name, " ", s.StartTimeUnixNano, " ", a.Value.GetIntValue()))
				}
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%d spans, want %d: %.200q, want %.200q", len(got), len(want), got, want)
	}
	if _, stderr, status := inProcess(t, "export", "--otlp", "http://127.0.0.1:1", demo); status != 1 || !strings.Contains(stderr, "--otlp: ") {
		t.Errorf("no collector: status %d: %s", status, stderr)
	}
}

// A server of profiles receives the profile of analyze --pprof, for each trace, with its labels.
func TestExportProfiles(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, _, err := r.FormFile("profile")
		if err != nil {
			t.Error(err)
			return
		}
		p, err := profile.Parse(f)
		if err != nil {
			t.Error(err)
			return
		}
		calls := int64(0)
		for _, s := range p.Sample {
			calls += s.Value[0]
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, fmt.Sprint(r.URL.Query().Get("name"), " ", calls))
	}))
	defer server.Close()
	if _, stderr, status := inProcess(t, "export", "--pyroscope", server.URL, traceFile(t, "nesting"), traceFile(t, "asked")); status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	want := []string{"prog{host=box} 4", "prog{deployment_environment=test,host=box,version=1.4.2} 1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
