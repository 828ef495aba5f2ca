//go:build linux

package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// AddSite makes a site known to the programs and returns the cookie of its probe.
func (o *Objects) AddSite(s *Site) (cookie uint64, err error) {
	if o.sites == nil || o.numSites >= o.sites.MaxEntries() {
		return 0, errors.New("too many functions with values or conditions")
	}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.NativeEndian, s); err != nil {
		return 0, err
	}
	at := o.numSites
	if err := o.sites.Put(at, b.Bytes()); err != nil {
		return 0, fmt.Errorf("table of functions with values or conditions: %w", err)
	}
	o.numSites++
	return uint64(at), nil
}
