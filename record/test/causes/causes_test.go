//go:build linux

package causes

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"utrace/record/test/harness"
)

// explanation is the part of the result of --why --json that the test reads.
type explanation struct {
	Reason string
	Where  struct {
		Path              []string
		Share             float64
		Runnable, Blocked float64
		MoreCalls         float64 `json:"more_calls"`
	}
	Causes []struct {
		Kind, Name, Text string
		Share            float64
	}
}

// cause returns the kind and the name of the first cause, if the sentence names it first.
func (x *explanation) cause() (kind, name string) {
	if len(x.Causes) == 0 || x.Causes[0].Share < x.Where.Share/2 {
		return "", ""
	}
	return x.Causes[0].Kind, x.Causes[0].Name
}

// moreCalls reports whether the sentence first names more calls of a function.
func (x *explanation) moreCalls(of string) bool {
	kind, _ := x.cause()
	return kind == "" && x.place() == of && x.Where.MoreCalls >= x.Where.Share/2
}

func (x *explanation) place() string {
	if len(x.Where.Path) == 0 {
		return ""
	}
	return x.Where.Path[len(x.Where.Path)-1]
}

// TestPlantedCauses records the modes of testdata/targets/causes.c. Other work on the machine can
// hide a cause, so a mode may be wrong twice.
func TestPlantedCauses(t *testing.T) {
	harness.NeedKernel(t)
	harness.Long(t)
	program := harness.Target(t, "causes.c", "-O2", "-pthread")
	named := func(kind, name string) func(*explanation) bool {
		return func(x *explanation) bool {
			k, n := x.cause()
			return k == kind && n == name
		}
	}
	for mode, right := range map[string]func(*explanation) bool{
		"lock":     named("elsewhere", "hold_table"),
		"miss":     named("argument", "key"),
		"pause":    named("elsewhere", "collect_garbage"),
		"retry":    func(x *explanation) bool { return x.moreCalls("attempt") },
		"disk":     func(x *explanation) bool { return x.place() == "write_log" && x.Where.Blocked > x.Where.Share/2 },
		"cpu":      func(x *explanation) bool { return x.Where.Runnable > x.Where.Share/2 },
		"burst":    named("burst", ""),
		"argument": named("argument", "size"),
		"first":    named("first", ""),
		"error":    func(x *explanation) bool { return named("failed", "")(x) || named("result", "ret")(x) },
		"growth":   named("trend", ""),
		"timer":    func(x *explanation) bool { return x.moreCalls("on_timer") },
		"none":     func(x *explanation) bool { return len(x.Causes) == 0 },
	} {
		t.Run(mode, func(t *testing.T) {
			harness.Retry(t, 3, func() string {
				x := explain(t, program, mode)
				if right(x) {
					return ""
				}
				return fmt.Sprintf("%s %+v", x.Reason, x.Causes)
			})
		})
	}
}

// explain records a mode, and returns why calls of handle are slow.
func explain(t *testing.T, program, mode string) *explanation {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	args := []string{"record", "--sched", "--max-overhead=none", "-o", trace, "-e", "handle(key:s32, size:s32) -> s32"}
	for _, name := range []string{
		"attempt", "collect_garbage", "compute", "hold_table", "load_backend", "lock_table", "lookup", "on_timer", "recover", "unlock_table",
		"walk", "warm_up", "write_log",
	} {
		args = append(args, "-e", name)
	}
	_, stderr, status := harness.Utrace(t, slices.Concat(args, []string{"--", program, mode, "2.5"})...)
	if status != 0 {
		t.Fatalf("record: status %d\n%s", status, stderr)
	}
	harness.Validate(t, trace)
	out, stderr, status := harness.Utrace(t, "analyze", "--why", "handle", "--json", trace)
	x := &explanation{}
	if err := json.Unmarshal([]byte(out), x); status != 0 || err != nil {
		t.Fatalf("analyze: status %d, %v\n%s", status, err, stderr)
	}
	return x
}
