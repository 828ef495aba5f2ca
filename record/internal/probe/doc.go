// Package probe is the probe language: it parses the text of a probe into a Probe, and resolves the
// names in its condition. It knows neither files nor the kernel: package plan decides what a probe
// matches.
//
//   - Parse reads one probe. A Pattern matches the names of functions, a USDTPattern static probes.
//   - Values are the arguments and results to record, each with a Type, and the condition.
//     Arguments of functions may be a Path to a member. Their types can be missing: the debug
//     information of the function has them.
//   - Bind resolves the names of a condition within a Scope.
//   - A Preset is a named set of probes. Its probes of interpreters have a NameStyle, which makes a
//     function's name from their arguments.
package probe
