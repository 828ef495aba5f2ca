//go:build linux

package runtimes

import (
	"strings"
	"testing"

	"utrace/record/test/harness"
)

// TestJava: recursion, methods, constructors, lambdas, exceptions, threads and compiled methods
// have the calls that the program counts. The command is the launcher, which loads the JVM with
// dlopen.
func TestJava(t *testing.T) {
	java, dir := harness.Javac(t, "Calls.java")
	r := recordRuntime(t, "java", nil, java, "-XX:+DTraceMethodProbes", "-cp", dir, "Calls", "20000")
	if strings.Contains(r.stderr, "warning: preset") {
		t.Error(r.stderr)
	}
	r.wantOwnCounts(t, func(function string) string {
		if !strings.HasPrefix(function, "Calls.") && !strings.HasPrefix(function, "Calls$Square.") {
			return ""
		}
		return function
	})
	calls := r.report.Calls()
	if calls["java.util.TreeMap.merge"] < 844 || calls["class__loaded"] < 100 {
		t.Errorf("%d calls of TreeMap.merge, %d classes loaded", calls["java.util.TreeMap.merge"], calls["class__loaded"])
	}
	for name := range calls {
		if strings.Contains(name, "+0x") || strings.Contains(name, "/") {
			t.Errorf("a method is called %s", name)
		}
	}
}

// TestJavaWithoutFlag: one line says which flag is missing. utrace reads the flags in the memory of
// the JVM.
func TestJavaWithoutFlag(t *testing.T) {
	java, dir := harness.Javac(t, "Sleeper.java")
	const want = "methods need -XX:+DTraceMethodProbes on the command line of the JVM, or in JAVA_TOOL_OPTIONS when it starts"
	r := recordRuntime(t, "java", nil, java, "-version")
	if strings.Count(r.stderr, want) != 1 {
		t.Error(r.stderr)
	}
	stderr, report := recordRunning(t, "java", nil, java, "-cp", dir, "Sleeper")
	if strings.Count(stderr, want) != 1 {
		t.Errorf("calls %v\n%s", report.Calls(), stderr)
	}
	stderr, report = recordRunning(t, "java", []string{"JAVA_TOOL_OPTIONS=-XX:+ExtendedDTraceProbes"}, java, "-cp", dir, "Sleeper")
	if strings.Contains(stderr, want) || report.Calls()["Sleeper.nap"] < 10 || report.Calls()["java.lang.Thread.sleep"] < 10 {
		t.Errorf("calls %v\n%s", report.Calls(), stderr)
	}
}
