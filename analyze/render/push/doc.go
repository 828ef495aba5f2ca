// Package push sends results to servers over HTTP:
//
//   - Traces: spans, to the OTLP/HTTP endpoint of a collector, as binary protobuf
//   - Pyroscope: a pprof profile, to the endpoint /ingest of Grafana Pyroscope's server API
//   - Parca: a pprof profile, to the method WriteRaw of Parca's ProfileStoreService, through the
//     HTTP/JSON gateway that its definition in protobuf describes
//
// A request is not repeated: the caller reports the error, and exporting again sends spans with the
// same identifiers. Answers are untrusted: they are limited, and shown only as printable text.
package push
