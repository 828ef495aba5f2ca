//go:build linux

package bpf

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf"

	"utrace/format"
)

// Options are fixed when the programs are loaded.
type Options struct {
	RingBytes int    // of each CPU's ring: a power of two and a multiple of the page size
	Funcs     int    // how many functions there can be
	TGIDs     []int  // record only these processes; empty: all but this one
	Method    Method // how the programs will be attached; not Auto
}

// Objects are the loaded programs and maps.
type Objects struct {
	OnInstruction *ebpf.Program // for probes on an instruction; see Cookie
	OnReturn      *ebpf.Program // for returns

	Rings []*Ring // by CPU

	losses     *ebpf.Map
	funcLosses *ebpf.Map
	enabled    *ebpf.Variable
	closers    []interface{ Close() error }
}

// Load loads the programs, disabled. An error of the verifier is wrapped.
func Load(o Options) (_ *Objects, err error) {
	spec, err := loadUtrace()
	if err != nil {
		return nil, err
	}
	if o.Method == Perf {
		for _, prog := range spec.Programs {
			prog.AttachType = ebpf.AttachNone
		}
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count CPUs: %w", err)
	}
	ring := spec.Maps[utraceMapRings].InnerMap
	ring.MaxEntries = uint32(o.RingBytes)
	spec.Maps[utraceMapRings].MaxEntries = uint32(cpus)
	spec.Maps[utraceMapFuncLosses].MaxEntries = uint32(max(1, o.Funcs))
	if err := errors.Join(
		spec.Variables[utraceVarOwnTgid].Set(uint32(os.Getpid())),
		spec.Variables[utraceVarFilterTgids].Set(uint8(min(1, len(o.TGIDs)))),
	); err != nil {
		return nil, err
	}

	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, fmt.Errorf("load BPF programs: %w", err)
	}
	objs := &Objects{
		OnInstruction: coll.Programs[utraceProgOnInstruction],
		OnReturn:      coll.Programs[utraceProgOnReturn],
		losses:        coll.Maps[utraceMapLosses],
		funcLosses:    coll.Maps[utraceMapFuncLosses],
		enabled:       coll.Variables[utraceVarEnabled],
	}
	for _, m := range coll.Maps {
		objs.closers = append(objs.closers, m)
	}
	objs.closers = append(objs.closers, objs.OnInstruction, objs.OnReturn)
	defer func() {
		if err != nil {
			objs.Close()
		}
	}()
	for _, tgid := range o.TGIDs {
		if err := coll.Maps[utraceMapTgids].Put(uint32(tgid), uint8(1)); err != nil {
			return nil, fmt.Errorf("filter of processes: %w", err)
		}
	}
	for cpu := range cpus {
		m, err := ebpf.NewMap(ring)
		if err != nil {
			return nil, fmt.Errorf("ring of %d bytes for CPU %d: %w", o.RingBytes, cpu, err)
		}
		objs.closers = append(objs.closers, m)
		if err := coll.Maps[utraceMapRings].Put(uint32(cpu), m); err != nil {
			return nil, fmt.Errorf("ring for CPU %d: %w", cpu, err)
		}
		r, err := newRing(m)
		if err != nil {
			return nil, err
		}
		objs.Rings = append(objs.Rings, r)
	}
	return objs, nil
}

// Enable turns recording on or off.
func (o *Objects) Enable(on bool) error {
	var v uint8
	if on {
		v = 1
	}
	return o.enabled.Set(v)
}

// Losses returns, by CPU, what was lost and not yet put into its ring.
func (o *Objects) Losses() ([]Loss, error) {
	type cLoss struct {
		Kind, Reserved                    uint32
		FirstNs, LastNs, Entries, Returns uint64
	}
	var perCPU []cLoss
	if err := o.losses.Lookup(uint32(0), &perCPU); err != nil {
		return nil, fmt.Errorf("read losses: %w", err)
	}
	var list []Loss
	for _, l := range perCPU {
		list = append(list, Loss{l.FirstNs, l.LastNs, l.Entries, l.Returns})
	}
	return list, nil
}

// FuncLosses returns the functions, of the first n, that have lost events.
func (o *Objects) FuncLosses(n int) ([]format.FuncLoss, error) {
	var list []format.FuncLoss
	for id := range n {
		var c struct{ Entries, Returns uint64 }
		if err := o.funcLosses.Lookup(uint32(id), &c); err != nil {
			return nil, fmt.Errorf("read losses of functions: %w", err)
		}
		if c.Entries+c.Returns > 0 {
			list = append(list, format.FuncLoss{Func: format.FuncID(id), Entries: c.Entries, Returns: c.Returns})
		}
	}
	return list, nil
}

// Close frees everything. Rings must not be used any more.
func (o *Objects) Close() error {
	for _, r := range o.Rings {
		r.close()
	}
	o.Rings = nil
	var errs []error
	for _, c := range slices.Backward(o.closers) {
		errs = append(errs, c.Close())
	}
	o.closers = nil
	return errors.Join(errs...)
}
