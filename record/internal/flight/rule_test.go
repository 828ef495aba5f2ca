package flight

import (
	"errors"
	"testing"
	"time"

	"utrace/format"
)

// TestParseRule: rules say what they wait for; the kernel must decide nothing.
func TestParseRule(t *testing.T) {
	for _, c := range []struct {
		text, probe string // probe: "" for a rule without calls
		longer      time.Duration
	}{
		{"handle_request > 200ms", "handle_request", 200 * time.Millisecond},
		{"c:getaddrinfo >= 1.5s", "c:getaddrinfo", 1500 * time.Millisecond},
		{"operator>> > 1us", "operator>>", time.Microsecond},
		{"error open", "open", 0},
		{"f(n:s32) if n > 3", "f(n:s32)", 0},
		{"usdt:postgresql:deadlock__found", "usdt:postgresql:deadlock__found", 0},
		{"signal:USR1", "", 0},
		{"signal:SIGUSR2", "", 0},
		{"exit-signal", "", 0},
		{"file:/run/stop", "", 0},
	} {
		r, err := ParseRule(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if (r.Probe != nil) != (c.probe != "") || r.LongerThan() != c.longer {
			t.Errorf("%s: %+v", c.text, r)
		}
		if r.Probe != nil && r.Probe.Values.Condition != nil {
			t.Errorf("%s: the kernel would record other calls no longer", c.text)
		}
	}
	for _, text := range []string{"", "signal:TERM", "file:", "f > 3", "f > -1s", "!f", "f+0x10", "0x1234", "f if", "f if n >"} {
		if r, err := ParseRule(text); !errors.Is(err, ErrRule) {
			t.Errorf("%q: %v, %+v", text, err, r)
		}
	}
}

// TestMatches: a rule is about functions by any of their names, in the files that it names.
func TestMatches(t *testing.T) {
	for _, c := range []struct {
		rule string
		fn   format.Func
		path string
		want bool
	}{
		{"f > 1ms", format.Func{Name: "f"}, "/bin/p", true},
		{"f > 1ms", format.Func{Name: "ff"}, "/bin/p", false},
		{"n::f > 1ms", format.Func{Name: "n::f", Symbol: "_ZN1n1fEi"}, "/bin/p", true},
		{"_ZN1n1fEi > 1ms", format.Func{Name: "n::f", Symbol: "_ZN1n1fEi"}, "/bin/p", true},
		{"c:open* > 1ms", format.Func{Name: "openat"}, "/lib/libc.so.6", true},
		{"c:open* > 1ms", format.Func{Name: "openat"}, "/lib/libcrypto.so.3", false},
		{"/bin/p:f > 1ms", format.Func{Name: "f"}, "/bin/p", true},
		{"/bin/p:f > 1ms", format.Func{Name: "f"}, "/bin/q", false},
		{"usdt:a:b*", format.Func{Name: "a:bc", USDT: "a:bc"}, "/bin/p", true},
		{"usdt:a:b*", format.Func{Name: "b"}, "/bin/p", false},
	} {
		r, err := ParseRule(c.rule)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.matches(&c.fn, c.path); got != c.want {
			t.Errorf("%s: %s of %s: %v", c.rule, c.fn.Name, c.path, got)
		}
	}
}

// TestMet: conditions compare the values of calls; those that could not be read meet none.
func TestMet(t *testing.T) {
	plain := format.Func{Name: "f"}
	valued := format.Func{Name: "f", Args: []format.Arg{{Name: "n", Type: "s32"}, {Name: "path", Type: "str"}}, Results: []format.Arg{{Name: "ret", Type: "s32"}}}
	pointer := format.Func{Name: "f", Results: []format.Arg{{Name: "ret", Type: "ptr"}}}
	for _, c := range []struct {
		rule string
		fn   format.Func
		v    callValues
		want bool
	}{
		{"f > 1ms", plain, callValues{durationNs: 1e6}, false},
		{"f > 1ms", plain, callValues{durationNs: 1e6 + 1}, true},
		{"f >= 1ms", plain, callValues{durationNs: 1e6}, true},
		{"error f", plain, callValues{value: ^uint64(0)}, true},
		{"error f", plain, callValues{value: 0xffffffff}, true},
		{"error f", plain, callValues{value: 1 << 63}, false},
		{"error f", plain, callValues{value: 7}, false},
		{"error f", valued, callValues{results: "[-2]"}, true},
		{"error f", valued, callValues{results: "[2]"}, false},
		{"error f", valued, callValues{results: "[null]"}, false},
		{"error f", pointer, callValues{results: "[0]"}, true},
		{"error f > 1ms", valued, callValues{results: "[-2]", durationNs: 5}, false},
		{"f if n == 3 && path =~ \"/tmp/*\"", valued, callValues{args: `[3,"/tmp/x"]`}, true},
		{"f if n == 3 && path =~ \"/tmp/*\"", valued, callValues{args: `[3,"/var/x"]`}, false},
		{"f if n != 3", valued, callValues{args: `[null,"x"]`}, false},
		{"f if path == \"x\"", valued, callValues{args: `[1,{"text":"x","cut":true}]`}, true},
		{"f if ret < 0 || pid == 7", valued, callValues{results: "[1]", thread: &format.Thread{PID: 7}}, true},
	} {
		r, err := ParseRule(c.rule)
		if err != nil {
			t.Fatal(err)
		}
		b, problem := r.bind(&c.fn)
		if problem != "" {
			t.Errorf("%s: %s", c.rule, problem)
		}
		if got := b.met(&c.v); got != c.want {
			t.Errorf("%s: %+v: %v", c.rule, c.v, got)
		}
	}
	for rule, fn := range map[string]format.Func{"f if m > 3": valued, "f > 1ms": {Name: "f", NoReturn: true}} {
		r, err := ParseRule(rule)
		if err != nil {
			t.Fatal(err)
		}
		if _, problem := r.bind(&fn); problem == "" {
			t.Errorf("%s: no problem", rule)
		}
	}
}
