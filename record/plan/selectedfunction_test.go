//go:build linux

package plan

import (
	"slices"
	"testing"

	"utrace/record/internal/abi"
	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/probe"
)

// TestKeepMost checks which functions of a large program are planned.
func TestKeepMost(t *testing.T) {
	var list []selectedFunc
	for i, fn := range []elffile.Func{
		{Name: "runtime.large", Size: 9000}, {Name: "main.small", Size: 10}, {Name: "main.large", Size: 500},
		{Name: "sub_3", Size: 8000, Recovered: true}, {Name: "main.middle", Size: 100},
	} {
		fn.Addr = abi.Addr(i)
		list = append(list, selectedFunc{Func: &fn, symbol: fn.Name})
	}
	for _, test := range []struct {
		most    int
		want    []string // by address
		surplus []string
	}{
		{0, []string{"runtime.large", "main.small", "main.large", "sub_3", "main.middle"}, nil},
		{5, []string{"runtime.large", "main.small", "main.large", "sub_3", "main.middle"}, nil},
		{4, []string{"main.small", "main.large", "sub_3", "main.middle"},
			[]string{"1 of 5 functions of server"}},
		{2, []string{"main.large", "main.middle"},
			[]string{"3 of 5 functions of server"}},
	} {
		f := &filePlan{p: &Plan{maxFuncs: test.most}, img: &image.Image{Path: "/usr/bin/server"}}
		var got []string
		for _, s := range f.keepMost(slices.Clone(list)) {
			got = append(got, s.symbol)
		}
		if !slices.Equal(got, test.want) || !slices.Equal(f.p.Surplus, test.surplus) {
			t.Errorf("at most %d: %q, surplus %q; want %q, %q", test.most, got, f.p.Surplus, test.want, test.surplus)
		}
	}
}

// TestMaxFuncs checks that functions are limited only if utrace chose them.
func TestMaxFuncs(t *testing.T) {
	all, err := probe.Parse("*")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		probes []*probe.Probe
		want   int
	}{{nil, maxChosenFuncs}, {[]*probe.Probe{all}, 0}} {
		p, err := New(Config{Command: []string{"../../testdata/elf/pie.elf"}, Probes: test.probes})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if p.maxFuncs != test.want {
			t.Errorf("with %d probes at most %d functions, want %d", len(test.probes), p.maxFuncs, test.want)
		}
	}
	for busy, want := range map[int]int{0: 10_000, 1: 10_000, 3: 10_000, 4: 7_500, 20: 1_500} {
		if got := chosenLimit(busy); got != want {
			t.Errorf("with %d busy programs %d functions of each, want %d", busy, got, want)
		}
	}
}
