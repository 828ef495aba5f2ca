//go:build linux

package bpf

import (
	"errors"
	"testing"

	"github.com/cilium/ebpf"
)

func TestShadowReturns(t *testing.T) {
	for release, want := range map[string]error{
		"6.8.0-45-generic": ebpf.ErrNotSupported, "5.15.1": ebpf.ErrNotSupported,
		"6.11.0": nil, "6.12.117+deb13-amd64": nil, "7.0": nil,
	} {
		if err := haveShadowReturns(release); !errors.Is(err, want) {
			t.Errorf("%s: %v", release, err)
		}
	}
	if err := haveShadowReturns("unknown"); err == nil || errors.Is(err, ebpf.ErrNotSupported) {
		t.Errorf("no number: %v", err)
	}
}
