//go:build linux

package bpf

import (
	"github.com/cilium/ebpf"
)

// ShadowReturns lets return probes also replace the return address on the shadow stack that x86-64
// processors keep for programs that ask for it. Without that, such a program dies at the first
// return. Some stable kernels have the commit as well, but nothing shows that.
var ShadowReturns = &Feature{
	Name: "return probes for programs with a shadow stack", Since: "6.11", Commit: "1713b63a07a2",
	probe: func() error { return haveShadowReturns(Release()) }}

func haveShadowReturns(release string) error {
	version, err := versionOf(release)
	if err == nil && version < 6011 {
		return ebpf.ErrNotSupported
	}
	return err
}
