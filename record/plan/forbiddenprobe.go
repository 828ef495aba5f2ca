//go:build linux

package plan

import (
	"fmt"
	"slices"
	"strings"

	"utrace/record/internal/image"
	"utrace/record/internal/proc"
)

// breakingProbes are the static probes of CPython that break some processes: see forbidBreaking. In
// processes that the plan has not looked at, each process is checked before they are attached: see
// Module.PerProcess.
func breakingProbes() []usdtName {
	return []usdtName{
		{"python", "function__entry"}, {"python", "function__return"}, {"python", "line"},
		{"python", "import__find__load__start"}, {"python", "import__find__load__done"},
	}
}

// forbidBreaking forbids the breakingProbes of a file if they would break a process of the scope.
//
// CPython encodes the names of a function when it passes such a probe. A name that cannot be
// encoded leaves an exception pending, which breaks the program (SystemError; seen with 3.11).
func (p *Plan) forbidBreaking(sc *Scope, img *image.Image) {
	if !hasUSDT(img.File, literalUSDT("python", "function__entry")) {
		return
	}
	const why = "%s not UTF-8: CPython breaks a program whose names its probes cannot encode"
	if c := sc.command; c != nil && sc.PID == 0 {
		if part := NotUTF8(c); part != "" {
			p.forbidden[img] = fmt.Sprintf(why, part+" is")
		}
	}
	for _, pid := range sc.mapping(img) {
		if part := NotUTF8(proc.InvocationOf(pid)); part != "" {
			p.forbidden[img] = fmt.Sprintf(why, fmt.Sprintf("%s of process %d is", part, pid))
		}
	}
}

// whyForbidden says why a static probe of a file must not be attached, "" if it may be.
//
// Ruby's probes of methods written in C ask for the name of each class. The first garbage
// collection frees the names of the interpreter's own classes (rb_dtrace_setup; with 3.1, 12 of 12
// programs that use alias afterwards crash).
func (p *Plan) whyForbidden(img *image.Image, n usdtName) string {
	switch {
	case slices.Contains(breakingProbes(), n):
		return p.forbidden[img]
	case n.provider == "ruby" && strings.HasPrefix(n.name, "cmethod__"):
		return "it crashes Ruby: use after free in rb_dtrace_setup after a garbage collection"
	}
	return ""
}
