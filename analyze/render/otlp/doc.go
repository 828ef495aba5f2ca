// Package otlp turns the slowest calls of traces into spans of OpenTelemetry.
//
// Spans keeps the slowest calls, a bounded number. A call takes at least as long as the calls inside
// it, so the calls around a slow call are among the slowest as well: each span has its parents, down
// to the shortest call that is kept. The outermost call begins a trace of OpenTelemetry. Identifiers
// are hashes of where and when a call was recorded: exporting a trace again gives the same spans.
//
// A span lasts as long as the call was measured, so that spans lie inside their parents. The
// attribute utrace.duration_ns has the duration without the cost of probes, as in the report.
//
// A process is a resource. Names of attributes are those of the semantic conventions where these have
// one: host.name, process.pid, service.version, thread.id, code.function.name and others.
//
// The messages are TracesData of package trace/v1. On the wire it equals the request of the
// collector's service, whose package would bring gRPC.
package otlp
