package otlp

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"utrace/analyze"
)

// messageSpans is the number of spans of a message: collectors limit the size of a request.
const messageSpans = 1000

// Messages returns the spans as encoded messages of type TracesData. One after another they are a
// single message as well.
func (s *Spans) Messages() ([][]byte, error) {
	var messages [][]byte
	for chunk := range slices.Chunk(s.places(), messageSpans) {
		data := &trace.TracesData{}
		for i := range chunk {
			if i == 0 || compareProcesses(chunk[i-1].slowCall, chunk[i].slowCall) != 0 {
				data.ResourceSpans = append(data.ResourceSpans, resourceSpans(&chunk[i]))
			}
			scope := data.ResourceSpans[len(data.ResourceSpans)-1].ScopeSpans[0]
			scope.Spans = append(scope.Spans, span(&chunk[i]))
		}
		message, err := proto.Marshal(data)
		if err != nil {
			return nil, err
		}
		messages = append(messages, message)
	}
	return messages, nil
}

// resourceSpans describes the process of a call.
func resourceSpans(c *placed) *trace.ResourceSpans {
	known := map[string]string{}
	maps.Copy(known, c.Labels)
	maps.Copy(known, map[string]string{
		"host.name": c.Host, "service.name": cmp.Or(c.Labels["service.name"], c.Process.Comm, "unknown_service"),
		"service.version":         cmp.Or(c.Labels["service.version"], c.Labels["version"]),
		"process.executable.name": c.Process.Comm, "container.name": c.Process.Container, "process.command_line": c.Command, "utrace.recording": c.Recording,
	})
	delete(known, "process.pid")
	attributes := []*common.KeyValue{{Key: "process.pid", Value: number(int64(c.thread.PID))}}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if value := known[key]; value != "" {
			attributes = append(attributes, &common.KeyValue{Key: key, Value: text(value)})
		}
	}
	return &trace.ResourceSpans{
		Resource:   &resource.Resource{Attributes: attributes},
		ScopeSpans: []*trace.ScopeSpans{{Scope: &common.InstrumentationScope{Name: "utrace"}}},
	}
}

// span describes a call.
func span(c *placed) *trace.Span {
	begin := uint64(max(0, c.Begin.UnixNano()))
	s := &trace.Span{
		TraceId: c.root.hash(16), SpanId: c.hash(8), Name: c.Function.Name, Kind: trace.Span_SPAN_KIND_INTERNAL,
		StartTimeUnixNano: begin, EndTimeUnixNano: begin + uint64(c.Elapsed), Attributes: attributes(c),
	}
	if c.parent != nil {
		s.ParentSpanId = c.parent.hash(8)
	}
	if c.Failed {
		s.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR}
	}
	return s
}

func attributes(c *placed) (list []*common.KeyValue) {
	add := func(key string, value *common.AnyValue) {
		list = append(list, &common.KeyValue{Key: key, Value: value})
	}
	addText := func(key, value string) {
		if value != "" {
			add(key, text(value))
		}
	}
	add("code.function.name", text(c.Function.Name))
	addText("code.file.path", c.Function.File)
	if c.Function.Line > 0 {
		add("code.line.number", number(int64(c.Function.Line)))
	}
	addText("utrace.module", c.Function.Module)
	addText("utrace.provider", c.Function.Provider())
	add("thread.id", number(int64(c.thread.TID)))
	addText("thread.name", c.thread.Comm)
	if c.thread.Goroutine > 0 {
		add("utrace.goroutine", number(int64(c.thread.Goroutine)))
	}
	add("utrace.duration_ns", number(int64(c.Duration)))
	add("utrace.self_ns", number(int64(c.Self)))
	list = append(list, values("utrace.argument.", c.Arguments)...)
	return append(list, values("utrace.result.", c.Results)...)
}

// values are the values of a call, from a JSON object. Its keys are in the order of the probe.
func values(prefix, object string) (list []*common.KeyValue) {
	decoder := json.NewDecoder(strings.NewReader(object))
	decoder.UseNumber()
	if _, err := decoder.Token(); err != nil { // "" for no values
		return nil
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return list
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return list
		}
		list = append(list, &common.KeyValue{Key: fmt.Sprint(prefix, key), Value: anyValue(value)})
	}
	return list
}

// anyValue returns a JSON value. A number that is no int64, and an object, stay JSON.
func anyValue(raw json.RawMessage) *common.AnyValue {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return text(string(raw))
	}
	switch v := value.(type) {
	case nil:
		return &common.AnyValue{}
	case bool:
		return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: v}}
	case string:
		return text(v)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return number(n)
		}
		if f, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: f}}
		}
	}
	return text(string(raw))
}

// text makes a value of a text. What is not valid UTF-8, which protobuf does not allow, is replaced.
func text(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: strings.ToValidUTF8(s, "\ufffd")}}
}

func number(n int64) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: n}}
}

// hash identifies a call in size bytes.
func (c *slowCall) hash(size int) []byte {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %d %d %d %d %d", c.Recording, c.thread.PID, c.thread.TID, c.thread.Goroutine, c.thread.Track,
		c.Start, c.Depth, c.Function.Addr))
	return h[:size]
}

// Warnings says which calls are no spans.
func (s *Spans) Warnings() (list []analyze.Warning) {
	warn := func(format string, args ...any) {
		list = append(list, analyze.Warning{Text: fmt.Sprintf(format, args...)})
	}
	if s.leftOut > 0 {
		warn("only the slowest %d calls are spans: %s are left out", len(s.calls), analyze.Plural(s.leftOut, "call", "calls"))
	}
	if s.valueless > 0 {
		warn("the arguments and results of %s were left out: those of all spans take more than %d MiB",
			analyze.Plural(s.valueless, "slow call", "slow calls"), maxHeldBytes>>20)
	}
	if s.uncertain > 0 {
		warn("%s no spans: events were lost during them", analyze.Plural(s.uncertain, "call is", "calls are"))
	}
	return list
}
