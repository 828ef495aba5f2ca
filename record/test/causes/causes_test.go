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

// planted are the modes of testdata/targets/causes.c.
var planted = []struct {
	mode string
	// named reports whether the cause is named first, in a trace with probes on all that matters.
	// survey does so for a survey, which has no arguments and results: there, a function that only
	// slow calls have is named instead.
	named, survey func(*explanation) bool
}{
	{"lock", cause("elsewhere", "hold_table"), cause("elsewhere", "hold_table")},
	{"miss", cause("argument", "key"), more("load_backend")},
	{"pause", cause("elsewhere", "collect_garbage"), cause("elsewhere", "collect_garbage")},
	{"retry", more("attempt"), more("attempt")},
	{"disk", slowDisk, slowDisk},
	{"cpu", stolen, stolen},
	{"burst", cause("burst", ""), cause("burst", "")},
	{"argument", cause("argument", "size"), func(x *explanation) bool { return x.place() == "compute" || x.place() == "spin" }},
	{"first", cause("first", ""), either(cause("first", ""), more("warm_up"))},
	{"error", either(cause("failed", ""), cause("result", "ret")), more("recover")},
	{"growth", cause("trend", ""), cause("trend", "")},
	{"timer", more("on_timer"), more("on_timer")},
	{"none", nothing, nothing},
}

func cause(kind, name string) func(*explanation) bool {
	return func(x *explanation) bool {
		k, n := x.cause()
		return k == kind && n == name
	}
}

func more(of string) func(*explanation) bool {
	return func(x *explanation) bool { return x.moreCalls(of) }
}

func either(a, b func(*explanation) bool) func(*explanation) bool {
	return func(x *explanation) bool { return a(x) || b(x) }
}

func slowDisk(x *explanation) bool {
	return x.place() == "write_log" && x.Where.Blocked > x.Where.Share/2
}

func stolen(x *explanation) bool { return x.Where.Runnable > x.Where.Share/2 }

func nothing(x *explanation) bool { return len(x.Causes) == 0 }

// TestPlantedCauses records the modes of testdata/targets/causes.c. Other work on the machine can
// hide a cause, so a mode may be wrong twice.
func TestPlantedCauses(t *testing.T) {
	harness.NeedKernel(t)
	harness.Long(t)
	program := harness.Target(t, "causes.c", "-O2", "-pthread")
	for _, p := range planted {
		t.Run(p.mode, func(t *testing.T) {
			harness.Retry(t, 3, func() string {
				x := explain(t, program, p.mode, namedProbes())
				if p.named(x) {
					return ""
				}
				return fmt.Sprintf("%s %+v", x.Reason, x.Causes)
			})
		})
	}
}

// namedProbes are the flags for a trace with arguments and all functions that matter.
func namedProbes() []string {
	args := []string{"--max-overhead=none", "-e", "handle(key:s32, size:s32) -> s32"}
	for _, name := range []string{
		"attempt", "collect_garbage", "compute", "hold_table", "load_backend", "lock_table", "lookup", "on_timer", "recover", "unlock_table",
		"walk", "warm_up", "write_log",
	} {
		args = append(args, "-e", name)
	}
	return args
}

// explain records a mode, and returns why calls of handle are slow.
func explain(t *testing.T, program, mode string, probes []string) *explanation {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace.arrow")
	args := slices.Concat([]string{"record", "--sched", "-o", trace}, probes, []string{"--", program, mode, "2.5"})
	_, stderr, status := harness.Utrace(t, args...)
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
