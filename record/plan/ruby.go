//go:build linux

package plan

import (
	"fmt"

	"utrace/record/internal/image"
)

// rubyTraces are the bits of ruby_vm_event_flags that must be set: RUBY_EVENT_CALL 8 and
// RUBY_EVENT_RETURN 16.
const rubyTraces = 8 | 16

// rubyProblem says what cannot be recorded of a Ruby. It passes its probes of methods only while
// some part of the program traces calls and returns (since 2.5, Ruby bug 14582). A variable that it
// exports reports whether one does.
func rubyProblem(sc *Scope, img *image.Image) string {
	off, ok := img.File.Exported("ruby_vm_event_flags")
	if !ok || !hasUSDT(img.File, literalUSDT("ruby", "method__entry")) {
		return ""
	}

	const without = ": methods are passed to probes only while the program has TracePoint.new(:call, :return) enabled; without it only garbage collection, require, load, parsing and exceptions are recorded"
	if sc.command != nil {
		return img.Path + without
	}
	for _, pid := range sc.mapping(img) {
		mem := openMemory(pid, img)
		if mem == nil {
			continue
		}
		b := mem.read(mem.addr(off), 1)
		mem.close()
		if b != nil && b[0]&rubyTraces != rubyTraces {
			return fmt.Sprintf("process %d (%s)%s", pid, img.Path, without)
		}
	}
	return ""
}
