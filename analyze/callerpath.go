package analyze

import (
	"strings"

	"utrace/format"
)

// Limits of the paths of calls. A path that is longer begins anew at the call that exceeds the limit,
// with truncatedName ahead of it, as the outer calls of a tree's paths do.
const (
	maxPathBytes  = 4 << 10
	maxPathsBytes = 64 << 20 // of all paths that are remembered
	pathOverhead  = 128      // bytes that remembering a path takes, about
)

// callerPath is the path of a call: the functions of the calls around it and its own, from the
// outermost one, with ; between. A ; in a name is written as : as in folded stacks.
type callerPath struct {
	text string
}

// callerPaths makes paths, each once for as long as it remembers them. The zero value is ready.
type callerPaths struct {
	known map[callerPathKey]*callerPath
	bytes int
}

type callerPathKey struct {
	caller *callerPath // nil for an outermost call
	fn     format.FuncID
}

// of returns the path of a call of a function. The calls of a trace have one name per function.
func (p *callerPaths) of(caller *callerPath, fn format.FuncID, name string) *callerPath {
	key := callerPathKey{caller, fn}
	if path := p.known[key]; path != nil {
		return path
	}
	path := &callerPath{strings.ReplaceAll(name, ";", ":")}
	switch {
	case caller == nil:
	case len(caller.text)+1+len(path.text) > maxPathBytes:
		path.text = truncatedName + ";" + path.text
	default:
		path.text = caller.text + ";" + path.text
	}
	if p.bytes += len(path.text) + pathOverhead; p.known == nil || p.bytes > maxPathsBytes {
		p.known, p.bytes = map[callerPathKey]*callerPath{}, 0
	}
	p.known[key] = path
	return path
}
