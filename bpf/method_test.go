//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestChooseMethod(t *testing.T) {
	linux66 := []*Feature{Programs, RingBuffer, Atomics, Cookies, PerfUprobe, UprobeMulti}
	linux610 := append(slices.Clone(linux66), ThreadFilter)
	linux61 := linux66[:5]
	for _, c := range []struct {
		name       string
		has        []*Feature
		ask        Method
		oneProcess bool
		want       Method
		err        string
	}{
		{"6.10", linux610, Auto, true, Multi, ""},
		{"6.10", linux610, Auto, false, Multi, ""},
		{"6.10", linux610, Perf, true, Perf, ""},
		{"6.6, misses threads", linux66, Auto, true, Perf, ""},
		{"6.6", linux66, Auto, false, Multi, ""},
		{"6.6, misses threads", linux66, Multi, true, 0, "came with Linux 6.10"},
		{"6.1", linux61, Auto, true, Perf, ""},
		{"6.1", linux61, Multi, false, 0, "came with Linux 6.6"},
		{"without CONFIG_UPROBE_EVENTS", linux61[:4], Auto, false, 0, "CONFIG_UPROBE_EVENTS"},
		{"5.13, below the floor", []*Feature{Programs, RingBuffer, Atomics, PerfUprobe}, Auto, true, 0, "has no BPF cookies: they came with Linux 5.15 (commit 7adfc6c9b315); utrace needs Linux 5.15 or newer"},
		{"5.10", []*Feature{Programs, RingBuffer, PerfUprobe}, Perf, true, 0, "utrace needs Linux 5.15 or newer"},
		{"5.4", []*Feature{Programs, PerfUprobe}, Auto, true, 0, "utrace needs Linux 5.15 or newer"},
	} {
		got, err := c.ask.choose(c.oneProcess, func(f *Feature) error {
			if slices.Contains(c.has, f) {
				return nil
			}
			return &UnsupportedError{f, "5.4.0"}
		})
		if got != c.want || (err == nil) != (c.err == "") || err != nil && (!errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s, --attach=%s, one process %v: %v, %v; want %v, %q", c.name, c.ask, c.oneProcess, got, err, c.want, c.err)
		}
	}
}

// An answer that is not conclusive is an error, never a no.
func TestInconclusive(t *testing.T) {
	_, err := Auto.choose(true, func(f *Feature) error {
		if f == UprobeMulti {
			return errors.New("it broke")
		}
		return nil
	})
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "it broke") {
		t.Error(err)
	}
	_, err = Auto.choose(true, func(*Feature) error { return fmt.Errorf("load: %w", os.ErrPermission) })
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "sudo") {
		t.Error(err)
	}
	probes := 0
	f := &Feature{probe: func() error { probes++; return errors.New("not now") }}
	for range 2 {
		if f.Probe() == nil {
			t.Error("no error")
		}
	}
	if probes != 2 {
		t.Errorf("probed %d times: an answer that is not conclusive was kept", probes)
	}
}

// TestFeatures: the probes agree with the version, where no distribution is known to have taken
// features into older ones.
func TestFeatures(t *testing.T) {
	if err := Programs.Probe(); err != nil {
		t.Skipf("needs root and BPF: %v", err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(Release(), "%d.%d", &major, &minor); err != nil {
		t.Fatalf("%s: %v", Release(), err)
	}
	for _, f := range []*Feature{RingBuffer, Atomics, Cookies, PerfUprobe, UprobeMulti, ThreadFilter, FilteredReturns} {
		var sinceMajor, sinceMinor int
		fmt.Sscanf(f.Since, "%d.%d", &sinceMajor, &sinceMinor)
		err := f.Probe()
		if newer := major > sinceMajor || major == sinceMajor && minor >= sinceMinor; newer && err != nil {
			t.Errorf("%s on Linux %s: %v", f.Name, Release(), err)
		}
	}
}
