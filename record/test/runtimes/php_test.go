//go:build linux

package runtimes

import (
	"strings"
	"testing"

	"utrace/record/test/harness"
)

const php = "/usr/bin/php8.2"

// dtracedPHP is the environment in which PHP's probes of functions are reached.
var dtracedPHP = []string{"USE_ZEND_DTRACE=1"}

// TestPHP: recursion, methods, closures, generators and exceptions have the calls that the program
// counts.
func TestPHP(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, php)
	r := recordRuntime(t, "php", dtracedPHP, php, runtimeFile(t, "calls.php"))
	if strings.Contains(r.stderr, "warning: preset") {
		t.Error(r.stderr)
	}
	r.wantOwnCounts(t, func(function string) string { return function[strings.LastIndexByte(function, ':')+1:] })
	harness.WantCounts(t, "calls", r.report.Calls(), map[string]uint64{"Shape::area": 2, "Shape::make": 1, "request": 1, "compile__file": 1})
	for _, f := range r.report.Functions {
		if f.Name == "fib" && (f.Line != 6 || f.File != runtimeFile(t, "calls.php")) {
			t.Errorf("fib is in %s:%d", f.File, f.Line)
		}
	}
	wantNesting(t, r.trace)
}

// TestPHPWithoutVariable: one line says why there are no functions. utrace reads the environment in
// the memory of the process.
func TestPHPWithoutVariable(t *testing.T) {
	harness.NeedKernel(t)
	harness.NeedTool(t, php)
	const want = "functions, compilation and errors need USE_ZEND_DTRACE=1 in the environment when PHP starts"
	r := recordRuntime(t, "php", []string{"USE_ZEND_DTRACE="}, php, "-r", "echo 1;")
	if strings.Count(r.stderr, want) != 1 || r.report.Calls()["request"] != 1 {
		t.Errorf("calls %v\n%s", r.report.Calls(), r.stderr)
	}
	stderr, report := recordRunning(t, "php", []string{"USE_ZEND_DTRACE="}, php, runtimeFile(t, "sleeper.php"))
	if strings.Count(stderr, want) != 1 || report.Calls()["nap"] != 0 {
		t.Errorf("calls %v\n%s", report.Calls(), stderr)
	}
	stderr, report = recordRunning(t, "php", dtracedPHP, php, runtimeFile(t, "sleeper.php"))
	if strings.Contains(stderr, want) || report.Calls()["nap"] < 10 {
		t.Errorf("calls %v\n%s", report.Calls(), stderr)
	}
}
