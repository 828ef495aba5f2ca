//go:build linux

package record

import (
	"debug/elf"
	"slices"
	"strings"
	"testing"
	"time"

	"utrace/bpf"
	"utrace/record/internal/target"
)

// FuzzBind binds what a probe wants to functions with debugging information, in C and C++, and without: there is an error, or what the
// programs in the kernel can do.
func FuzzBind(f *testing.F) {
	for _, text := range []string{
		"(...) -> ...", "(a, b:u8) -> s32 if ret < 0", "(n:str, x:buf[arg2], arg3:f64)", `(this->x, *p, a.b[2]) if a->b != 0 && !(duration > 1ms)`,
		`(s) -> str if s =~ "x*" || ret == "y" || comm == "z"`, "if arg1 == arg2", "(a:str[4095])", "(arg13:u8)", "-> buf[3]", "() -> ", "(a->) if a", "if pid", "(x:buf[x])", "if arg0 == 1", "(x:buf[arg0])", "if arg99999999999999999999 == 1",
		"if " + "a==1||a==2||a==3||a==4||a==5||a==6||a==7||a==8||a==9||a==10||a==11||a==12||a==13||a==14||a==15||a==16||a==17",
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	var functions []*signature
	for _, path := range []string{"../testdata/elf/pie.elf", "../testdata/elf/cxx.elf"} {
		file, err := target.Open(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { file.Close() })
		funcs, err := file.Funcs()
		if err != nil {
			f.Fatal(err)
		}
		for _, fn := range funcs {
			s := &signature{file: file, fn: fn, site: fn.Addr}
			if debug, err := s.known(); err == nil && len(debug.Params) > 0 {
				functions = append(functions, s, &signature{file: file, fn: fn, site: fn.Addr, looked: true, debugErr: target.ErrNoDWARF})
			}
		}
	}
	if len(functions) < 4 {
		f.Fatalf("%d functions", len(functions))
	}
	f.Fuzz(func(t *testing.T, text string, returns bool) {
		p, err := ParseProbe("f" + text)
		if err != nil || p.static != nil {
			return
		}
		for _, s := range functions {
			b, err := s.bind(&p.values, returns, time.Millisecond)
			if err != nil {
				continue
			}
			checkConds(t, text, b.conds, len(b.args), len(b.results))
			for _, flags := range []bpf.SiteFlags{0, bpf.SiteDeferred} {
				entry, exit := b.sites(bpf.Site{Flags: flags}, s.site, elf.EM_X86_64)
				for _, site := range []*bpf.Site{entry, exit} {
					if site != nil && (int(site.NumArgs) > bpf.MaxArgs || int(site.NumConds) > bpf.MaxConds) {
						t.Fatalf("%q: %d values, %d comparisons", text, site.NumArgs, site.NumConds)
					}
				}
			}
		}
	})
}

// TestArgumentZero: there is no argument 0, with debugging information or without.
func TestArgumentZero(t *testing.T) {
	file := &target.File{Machine: elf.EM_X86_64}
	with := &target.Signature{Params: []target.Value{{Name: "x", Kind: target.Pointer}}}
	for _, s := range []*signature{{file: file, looked: true, debugErr: target.ErrNoDWARF}, {file: file, looked: true, debug: with}} {
		for _, text := range []string{"f if arg0 == 1", "f if arg00 == 1", "f(x:buf[arg0])", "f if arg99999999999999999999 == 1"} {
			p, err := ParseProbe(text)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = s.bind(&p.values, true, 0); err == nil || !strings.Contains(err.Error(), "the arguments are arg1, arg2 and so on") {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// TestOpenCalls: a call that has not returned is kept only if it would be, whatever it returned.
func TestOpenCalls(t *testing.T) {
	for text, want := range map[string]bool{
		"ret == 1":                       false,
		"ret != 1":                       false,
		"ret >= 1":                       false,
		"!(ret < 5) || !(ret < 7)":       false,
		"ret < 5 || ret >= 5":            false, // it is, but that takes more than looking at each by itself
		"duration > 1ms":                 true,
		"duration < 1ms":                 false,
		"duration > 1ms && ret == 1":     false,
		"duration > 1ms || ret == 1":     true,
		"ret == 1 || duration > 1ms":     true,
		"n == 1 && duration > 1ms":       true,
		"n == 2 && duration > 1ms":       false,
		"ret == 3 && n == 2 || n == 1":   true,
		"!(n == 2) && !(duration < 1us)": true,
	} {
		p, err := ParseProbe("f(n:u8) -> s32 if " + text)
		if err != nil {
			t.Fatal(err)
		}
		results := []argument{{name: "ret", typ: *p.values.result}}
		find := func(list []argument, _ string, _ valueType) (int, []argument, error) { return 0, list, nil }
		cond, _, err := bindCondition(p.values.cond, p.values.args, findArgument, endings{list: &results, find: find, duration: true})
		if err != nil {
			t.Fatal(err)
		}
		conds, err := cond.compile()
		if err != nil {
			t.Fatal(err)
		}
		held := uint16(0) // of a call with n == 1
		for i, c := range conds {
			if !c.Late && (c.Value == 1) != c.Negate {
				held |= 1 << i
			}
		}
		if got := decideOpen(conds, held, uint64(2*time.Millisecond)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestOpenCallsAtEnd: a call has lasted until now. One that was entered when the probes had been turned off has not lasted at all, nor
// has one of a process that has ended, or runs another program now.
func TestOpenCallsAtEnd(t *testing.T) {
	long := bpf.Cond{Op: bpf.CondLess, Arg: bpf.CondDuration, Late: true, Value: uint64(time.Second), Yes: bpf.CondDrop, No: bpf.CondKeep}
	c := &catalog{funcs: []probedFunc{{planned: &PlannedFunc{entry: &bpf.Site{NumConds: 1, Conds: [bpf.MaxConds]bpf.Cond{long}}}}}}
	const nowNs = 10e9
	open := []bpf.OpenCall{{Event: bpf.Event{TimeNs: nowNs - 2e9, TID: 1}}, {Event: bpf.Event{TimeNs: nowNs - 1e6, TID: 2}}, {Event: bpf.Event{TimeNs: nowNs + 1, TID: 3}},
		{Event: bpf.Event{TimeNs: nowNs - 5e9, PID: 4, TID: 4, GoID: 1}}, {Event: bpf.Event{TimeNs: nowNs - 3e9, PID: 4, TID: 5, GoID: 1}}}
	var kept []uint32
	for _, call := range keepOpen(open, c, map[uint32]uint64{4: nowNs - 4e9}, nowNs) {
		if call.kept {
			kept = append(kept, call.call.TID)
		}
	}
	if want := []uint32{5, 1}; !slices.Equal(kept, want) {
		t.Errorf("kept are the calls of threads %v, want %v", kept, want)
	}
}
