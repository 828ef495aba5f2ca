//go:build linux

package plan

import (
	"fmt"
	"strconv"

	"utrace/record/internal/image"
)

// phpProblem says what cannot be recorded of a PHP. It passes its probes of functions only if
// USE_ZEND_DTRACE was set when it started, and it exports whether it was. The environment that
// others see does not say so of php-fpm, which overwrites it.
func phpProblem(sc *Scope, img *image.Image) string {
	off, ok := img.File.Exported("zend_dtrace_enabled")
	if !ok {
		if _, php := img.File.Exported("zend_parse_parameters"); php {
			return img.Path + ": this PHP was built without --enable-dtrace: it has no probes"
		}
		return ""
	}

	without := func(who string) string {
		return who + ": functions, compilation and errors need USE_ZEND_DTRACE=1 in the environment when PHP starts (of php-fpm: that of its service); without it only requests and exceptions are recorded"
	}
	if sc.command != nil {
		if n, _ := strconv.Atoi(sc.command.Variable("USE_ZEND_DTRACE")); n <= 0 {
			return without(img.Path)
		}
		return ""
	}
	for _, pid := range sc.mapping(img) {
		mem := openMemory(pid, img)
		if mem == nil {
			continue
		}
		b := mem.read(mem.addr(off), 1)
		mem.close()
		if b != nil && b[0] == 0 {
			return without(fmt.Sprintf("process %d (%s)", pid, img.Path))
		}
	}
	return ""
}
