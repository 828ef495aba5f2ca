package otlp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"utrace/analyze"
	"utrace/format"
)

var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// call is a complete call of a function on a thread.
func call(function string, tid, depth int, at, lasts time.Duration) *analyze.Call {
	return &analyze.Call{
		Trace: "t", Recording: "r", Host: "box", Process: &format.Process{Comm: "app"}, Function: &analyze.Function{Name: function}, Thread: &format.Thread{PID: 1, TID: tid},
		State: analyze.Complete, Begin: start.Add(at), Start: at, Depth: depth, Elapsed: lasts, Duration: lasts, Self: lasts,
	}
}

// decode returns the spans of messages, and their resources.
func decode(t *testing.T, s *Spans) (spans []*trace.Span, resources []*trace.ResourceSpans) {
	t.Helper()
	messages, err := s.Messages()
	if err != nil {
		t.Fatal(err)
	}
	var data trace.TracesData
	if err := proto.Unmarshal(bytes.Join(messages, nil), &data); err != nil {
		t.Fatal(err)
	}
	for _, r := range data.ResourceSpans {
		resources = append(resources, r)
		for _, scope := range r.ScopeSpans {
			spans = append(spans, scope.Spans...)
		}
	}
	return spans, resources
}

// tree writes each span with its parent and its trace's root, sorted.
func tree(spans []*trace.Span) string {
	names, roots := map[string]string{}, map[string]string{}
	for _, s := range spans {
		names[string(s.SpanId)] = s.Name
		if len(s.ParentSpanId) == 0 {
			roots[string(s.TraceId)] = s.Name
		}
	}
	var list []string
	for _, s := range spans {
		list = append(list, fmt.Sprintf("%s<%s/%s", s.Name, names[string(s.ParentSpanId)], roots[string(s.TraceId)]))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// The slowest calls have the calls around them as parents, whatever the order in which they came.
func TestParents(t *testing.T) {
	calls := []*analyze.Call{
		call("leaf", 1, 2, 110, 30), call("quick", 1, 2, 145, 1), call("work", 1, 1, 105, 50), call("main", 1, 0, 100, 100),
		call("work2", 1, 1, 160, 40), call("other", 2, 0, 90, 60), call("after", 1, 0, 200, 20),
	}
	open := call("open", 1, 0, 0, 0)
	open.State = analyze.Open
	lost := call("lost", 1, 0, 0, 1000)
	lost.Uncertain = true
	hit := call("hit", 1, 0, 0, 0)
	hit.Hit = true
	for _, c := range []struct {
		count int
		min   time.Duration
		want  string
	}{
		{100, 0, "after</after leaf<work/main main</main other</other quick<work/main work2<main/main work<main/main"},
		{100, 40, "main</main other</other work2<main/main work<main/main"},
		{3, 0, "main</main other</other work<main/main"},
	} {
		for range 2 {
			slices.Reverse(calls)
			s := NewSpans(c.count, c.min)
			for _, call := range append(calls, open, lost, hit) {
				if err := s.Add(call); err != nil {
					t.Fatal(err)
				}
			}
			spans, _ := decode(t, s)
			if got := tree(spans); got != c.want {
				t.Errorf("%d calls of at least %d: %s, want %s", c.count, c.min, got, c.want)
			}
			text := fmt.Sprint(s.Warnings())
			if !strings.Contains(text, "1 call is no spans") || strings.Contains(text, "left out") != (c.count == 3) {
				t.Errorf("%d calls: %s", c.count, text)
			}
		}
	}
}

// More spans than a message holds keep their parents and their resource.
func TestManySpans(t *testing.T) {
	s := NewSpans(10*messageSpans, 0)
	const n = 3 * messageSpans / 2
	for i := range n {
		at := time.Duration(10 * i)
		for _, c := range []*analyze.Call{call("inner", 1, 1, at+2, 3), call("outer", 1, 0, at, 8)} {
			if err := s.Add(c); err != nil {
				t.Fatal(err)
			}
		}
	}
	spans, resources := decode(t, s)
	ids := map[string]bool{}
	for _, span := range spans {
		ids[string(span.SpanId)] = true
	}
	orphans := 0
	for _, span := range spans {
		if parent := string(span.ParentSpanId); (parent == "") != (span.Name == "outer") || parent != "" && !ids[parent] {
			orphans++
		}
	}
	if len(spans) != 2*n || len(ids) != 2*n || len(resources) != 3 || orphans != 0 {
		t.Errorf("%d spans, %d identifiers, %d resources, %d without their parents", len(spans), len(ids), len(resources), orphans)
	}
}

// The arguments of kept calls are limited. Those of calls that are dropped again do not count.
func TestValuesAreLimited(t *testing.T) {
	s := NewSpans(4, 0)
	for i := range 40 {
		c := call("f", 1, 0, time.Duration(1000*i), time.Duration(i+1))
		c.Arguments = `{"x":"` + strings.Repeat("x", maxHeldBytes/4) + `"}`
		if i < 30 {
			c.Arguments = `{"x":"short"}`
		}
		if err := s.Add(c); err != nil {
			t.Fatal(err)
		}
		if s.held > maxHeldBytes {
			t.Fatalf("%d bytes are held", s.held)
		}
	}
	spans, _ := decode(t, s)
	with := 0
	for _, span := range spans {
		if strings.HasPrefix(span.Attributes[len(span.Attributes)-1].Key, "utrace.argument.") {
			with++
		}
	}
	if text := fmt.Sprint(s.Warnings()); with == 0 || with == 4 || !strings.Contains(text, "arguments and results of") {
		t.Errorf("%d of 4 spans have arguments; %s", with, text)
	}
}

// shown writes a value with its type.
func shown(v *common.AnyValue) string {
	switch v := v.Value.(type) {
	case nil:
		return ""
	case *common.AnyValue_StringValue:
		return "text " + v.StringValue
	case *common.AnyValue_IntValue:
		return fmt.Sprint("int ", v.IntValue)
	case *common.AnyValue_DoubleValue:
		return fmt.Sprint("float ", v.DoubleValue)
	case *common.AnyValue_BoolValue:
		return fmt.Sprint("bool ", v.BoolValue)
	}
	return "unknown"
}

func TestSpan(t *testing.T) {
	c := call("query", 12, 3, 5*time.Microsecond, 2*time.Microsecond)
	c.Duration, c.Failed = 1500, true
	c.Labels = map[string]string{"version": "1.4.2", "role": "web", "process.pid": "7"}
	c.Command = "app -x"
	c.Function = &analyze.Function{Name: "query", File: "q.c", Line: 7, Module: "/bin/app"}
	c.Thread = &format.Thread{PID: 10, TID: 12, Comm: "worker", Goroutine: 5}
	c.Arguments = `{"sql":"select","n":-3,"big":18446744073709551615,"x":0.5,"ok":true,"none":null,"raw":{"bytes":"AA=="}}`
	c.Results = `{"ret":-1}`
	var before string
	for range 2 {
		s := NewSpans(1, 0)
		if err := s.Add(c); err != nil {
			t.Fatal(err)
		}
		spans, resources := decode(t, s)
		span := spans[0]
		var got []string
		for _, a := range append(resources[0].Resource.Attributes, span.Attributes...) {
			got = append(got, a.Key+"="+shown(a.Value))
		}
		want := []string{
			"process.pid=int 10", `host.name=text box`, `process.command_line=text app -x`, `process.executable.name=text app`,
			`role=text web`, `service.name=text app`, `service.version=text 1.4.2`, `utrace.recording=text r`,
			`version=text 1.4.2`,
			`code.function.name=text query`, `code.file.path=text q.c`, "code.line.number=int 7", `utrace.module=text /bin/app`,
			"thread.id=int 12", `thread.name=text worker`, "utrace.goroutine=int 5", "utrace.duration_ns=int 1500", "utrace.self_ns=int 2000",
			`utrace.argument.sql=text select`, "utrace.argument.n=int -3", `utrace.argument.big=text 18446744073709551615`,
			"utrace.argument.x=float 0.5", "utrace.argument.ok=bool true", "utrace.argument.none=", `utrace.argument.raw=text {"bytes":"AA=="}`,
			"utrace.result.ret=int -1",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		begin := uint64(start.UnixNano()) + 5000
		if span.Name != "query" || span.StartTimeUnixNano != begin || span.EndTimeUnixNano != begin+2000 || span.Status.GetCode() != trace.Status_STATUS_CODE_ERROR ||
			len(span.TraceId) != 16 || len(span.SpanId) != 8 || len(span.ParentSpanId) != 0 {
			t.Errorf("%v", span)
		}
		if id := hex.EncodeToString(span.SpanId); before != "" && id != before {
			t.Errorf("another time it is span %s instead of %s", id, before)
		} else {
			before = id
		}
	}
}
