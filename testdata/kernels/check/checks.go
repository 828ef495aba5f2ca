//go:build linux

package main

import (
	"fmt"
	"strings"
)

// counts are calls by function.
type counts map[string]uint64

// check is one recording.
type check struct {
	command    string
	calls      counts
	incomplete counts   // all others are complete
	inAll      int      // record every process, and run the command so many times
	flow       []string // probes of functions; the program says what they must record
	tree       []string // what the calls of leaf are below, and how many they are; stacks are recorded
	static     string   // what follows the name of static probes; the program says what they must record
	kept       string   // only those lines of it that begin with one of these words
	probe      string   // a function, with what to record of it and which calls to keep
	want       []string // what the flow of these is
	flags      []string // of the recording
	sched      bool     // record how the time of the functions divides; the program says what of it is right
}

func (c check) String() string {
	if c.sched {
		return c.command + ", running and waiting"
	}
	if len(c.flow) > 0 {
		return c.command + ", arguments and results"
	}
	if len(c.tree) > 0 {
		return c.command + ", stacks"
	}
	if c.static != "" {
		return c.command + ", static probes" + c.static
	}
	if c.probe != "" {
		return c.command + ", " + c.probe
	}
	if len(c.flags) > 0 {
		return c.command + ", " + strings.Join(c.flags, " ")
	}
	if c.inAll > 0 {
		return fmt.Sprintf("%s, %d times, in all processes", c.command, c.inAll)
	}
	return c.command
}

const rounds = 10

var checks = []check{
	{command: "calls-O0 10", calls: counts{ // fib(8) makes 67 calls
		"main": 1, "outer": rounds, "middle": 3 * rounds, "leaf": 7 * rounds, "fib": 67 * rounds,
		"is_even": 6 * rounds, "is_odd": 5 * rounds, "hidden": rounds, "make_big": rounds}},
	{command: "calls-O2 10", calls: counts{ // gcc puts some calls of fib into fib itself
		"main": 1, "outer": rounds, "middle": 3 * rounds, "leaf": 7 * rounds,
		"is_even": 6 * rounds, "is_odd": 5 * rounds, "make_big": rounds}},
	{command: "calls-O0 10", inAll: 3, calls: counts{"fib": 3 * 67 * rounds, "outer": 3 * rounds}},
	{command: "threads-O0 10", calls: counts{
		"runner": 8, "work": 10 * rounds, "step": 20 * rounds, "worker": 4, "serve": rounds, "give": rounds, "take": rounds + 4}},
	{command: "jumps-O0 jump", calls: counts{"try_jump": 50, "deep1": 50, "deep5": 50},
		incomplete: counts{"deep1": 25, "deep2": 25, "deep3": 25, "deep4": 25, "deep5": 25}},
	{command: "jumps-O2 jump", calls: counts{"try_jump": 50, "deep1": 50, "deep5": 50},
		incomplete: counts{"deep1": 25, "deep2": 25, "deep3": 25, "deep4": 25, "deep5": 25}},
	{command: "jumps-O0 thread", calls: counts{"thread_main": 50, "in_thread": 50},
		incomplete: counts{"thread_main": 50, "in_thread": 50, "leave_thread": 50}},
	{command: "jumps-O0 exit", calls: counts{"in_process": 1}, incomplete: counts{"main": 1, "in_process": 1, "leave_process": 1}},
	{command: "jumps-O0 signal", calls: counts{"raise_inside": 50, "on_signal": 50, "on_signal_inner": 50}},
	{command: "jumps-O2 signal", calls: counts{"raise_inside": 50, "on_signal": 50, "on_signal_inner": 50}},
	{command: "jumps-O0 altstack", calls: counts{"raise_inside": 50, "on_signal": 50, "on_signal_inner": 50}},
	{command: "jumps-O2 alloca", calls: counts{"with_alloca": 50, "fill": 50}},
	{command: "values-O0 2", static: "*(...)"},
	{command: "values-O2 2", static: "*(...)"},
	{command: "values-O2 4", static: `many(n:s32, v:s32, e:s32) if n == 7 && comm =~ "val*2"`, kept: "many(7,"},
	{command: "hostile-O2", probe: `take(text:str[100]) -> s32 if text =~ "*bad" || text == "plain"`, want: []string{
		`take("plain") = 1;`, `take("\xff\xfe bad") = 1;`}},
	{command: "hostile-O2", probe: "takes(bytes:buf[n], n:s32) -> s32 if ret != 0 && duration < 100s", want: []string{
		`takes("a\x00b\x00", 4) = 4;`, "takes(?, -1) = -1;"}},
	{command: "arguments-O0 2", flow: described},
	{command: "arguments-O2 2", flow: described},
	{command: "bare-O0 2", flow: undescribed, kept: "ints( r8( ru16( r32( rbool( rchar( rtext( rpointer("},
	{command: "bare-O2 2", flow: undescribed, kept: "ints( r8( ru16( r32( rbool( rchar( rtext( rpointer("},
	{command: "go-arguments 2", flow: goDescribed},
	{command: "stacks", tree: []string{"two", "one", "work", "between", "(100) leaf"}},
	{command: "signed", tree: []string{"two", "one", "work", "between", "(100) leaf"}},
	{command: "goroutines", calls: counts{"main.work": 800, "main.recovers": 800, "main.panics": 800, "main.grow": 40800, "main.leaf": 2000},
		incomplete: counts{"main.panics": 400}},
	{command: "slow-O0 100", flags: []string{"--slower-than", "100s"}, calls: counts{"request": 100, "middle": 100, "leaf": 205, "rec": 30}},
	{command: "waits-O2", sched: true, calls: counts{"sleeper": 20, "locker": 20, "reader": 20, "spinner": 20, "contender": 8}},
	{command: "jumps-O2 tail", calls: counts{"tail_start": 50, "tail_middle": 50, "tail_end": 50}},
}

// Probes of arguments.c and arguments/main.go: by debug information, and by the calling convention alone.
var (
	described = []string{
		"/^r(u?[0-9]+|bool|char|color|pointer)$/(v) -> ...", "ints(...) -> ...", "kinds(yes, c, color, flags, code, p, s)", "thirteen(...)",
		"reals(*d, *f, *none)", "floats(n, m) -> ...", "values(p.a, p.b, q.a, q.b, q.c, q.d, q.e, m.n, b.a, b.b, b.c, last)",
		"chain(at, n->len, n->next->name, n->next->next->name, n->next->next->len, n->next->next->in.x, n->next->next->in.z[2], " +
			"n->next->next->label, n->next->next->real, n->next->next->reals[1]) -> ...",
		"texts(s, t, u:str, b:buf[n], n)", "rtext(s) -> ...", "rpair(...) -> ...", "rpacked -> ...", "rbig -> (...)", "rmixed(n) -> ...",
	}
	goDescribed = []string{
		"main.ints(...) -> ...", "main.kinds(...) -> ...", "main.slices(...) -> ...", "main.faces(...) -> ...",
		"main.structs(p.X, p.Y, r.id, r.name, r.at.X, r.at.Y, last) -> ...", "main.chain(r->id, r->next->name, r->at.Y, depth) -> ...",
		"main.floats(n, *p) -> ...", "main.(*record).method(r->id, n) -> ...", "main.point.byValue(p.X, p.Y, n) -> ...",
		"main.fails(...) -> ...", "main.generic*(a, n) -> ...",
	}
	undescribed = []string{
		"ints(s8, u8, s16, u16, s32, u32, s64, u64, s8, u16, s32, s64) -> s64", "r8(u64) -> s8", "ru16(v:u64) -> u16", "r32(u64) -> s32",
		"rbool(u64) -> bool", "rchar(u64) -> char", "rtext(s:str) -> str", "rpointer(u64) -> ptr",
	}
)
