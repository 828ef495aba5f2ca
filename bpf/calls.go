//go:build linux

package bpf

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"utrace/format"
)

// Dropped is struct dropped_calls of calls.h, of a function in a process: its calls that a condition has dropped.
type Dropped struct {
	Func       format.FuncID
	TGID       uint32
	Name       uint64 // that the function stands for, 0 for its own
	Complete   uint64
	Incomplete uint64 // without a return
	SumNs      uint64 // of the complete ones
	TotalNs    uint64 // without those inside of a call of the same function
	SelfNs     uint64 // without the calls in them
	InsideNs   uint64 // of other calls, that were dropped, directly inside of those of this function that were not
}

// Dropped returns what has been dropped so far, and how many calls there was no room for.
func (o *Objects) Dropped() (list []Dropped, uncounted uint64, err error) {
	if o.dropped == nil {
		return nil, 0, nil
	}
	var key struct {
		Name       uint64
		Func, TGID uint32
	}
	var v struct{ Complete, Incomplete, SumNs, TotalNs, SelfNs, InsideNs uint64 }
	it := o.dropped.Iterate()
	for it.Next(&key, &v) {
		list = append(list, Dropped{format.FuncID(key.Func), key.TGID, key.Name, v.Complete, v.Incomplete, v.SumNs, v.TotalNs, v.SelfNs, v.InsideNs})
	}
	return list, uncounted, errors.Join(it.Err(), o.uncountedDrops.Get(&uncounted))
}

// OpenCall is a call whose entry has not been written, as it was not known yet whether it is to be kept.
type OpenCall struct {
	Event
	Depth  uint32  // open calls of the thread around it
	Held   uint16  // mask of the comparisons of its entry that held
	Values *Values // of its entry; nil if it has none
}

// OpenCalls returns the undecided calls. No events may be recorded at the time. Those of a thread are not in order.
func (o *Objects) OpenCalls() ([]OpenCall, error) {
	if o.openCalls == nil {
		return nil, nil
	}
	written, err := o.writtenDepths()
	if err != nil {
		return nil, err
	}
	var list []OpenCall
	var key struct {
		Thread      uint64
		TGID, Depth uint32
	}
	var v struct {
		SP, Name, Stack, TimeNs, ChildNs, DroppedNs, Below, GoID uint64
		Func, TID, Site                                          uint32
		Held                                                     uint16
		Kind, State, Args                                        uint8
		_                                                        [7]uint8
	}
	it := o.openCalls.Iterate()
	for it.Next(&key, &v) {
		w, ok := written[threadKey{key.Thread, key.TGID}]
		if !ok || v.State != 0 || key.Depth < w.Written || key.Depth >= w.Depth {
			continue
		}
		c := OpenCall{Depth: key.Depth, Held: v.Held, Event: Event{
			Kind: format.Kind(v.Kind), Named: v.Name != 0, Func: format.FuncID(v.Func), TimeNs: v.TimeNs, SP: v.SP, Value: cmp.Or(v.Name, v.Stack),
			PID: key.TGID, TID: v.TID, GoID: v.GoID,
		}}
		if v.GoID != 0 {
			c.SP = goStackTop - v.SP
		}
		if v.Args != 0 {
			var b bytes.Buffer
			if err := binary.Write(&b, binary.NativeEndian, &key); err != nil {
				return nil, err
			}
			rec, err := o.openArgs.LookupBytes(b.Bytes())
			if err != nil {
				return nil, fmt.Errorf("values of an open call: %w", err)
			}
			if v := new(Values); rec != nil && v.DecodeValues(rec) {
				c.Values = v
			}
		}
		list = append(list, c)
	}
	return list, it.Err()
}

// goStackTop is GO_STACK_TOP of calls.h.
const goStackTop = 1 << 40

// threadKey is struct thread_key of calls.h.
type threadKey struct {
	Thread uint64
	TGID   uint32
}

type threadCalls struct{ Depth, Written uint32 }

func (o *Objects) writtenDepths() (map[threadKey]threadCalls, error) {
	depths := map[threadKey]threadCalls{}
	var key struct {
		Thread uint64
		TGID   uint32
		_      uint32
	}
	var v threadCalls
	it := o.threadsCalls.Iterate()
	for it.Next(&key, &v) {
		depths[threadKey{key.Thread, key.TGID}] = v
	}
	return depths, it.Err()
}

// prepareCalls makes room for the calls that are followed, or leaves it out.
func prepareCalls(spec *ebpf.CollectionSpec, o Options) error {
	if o.Sites == 0 || !o.FollowCalls {
		delete(spec.Programs, utraceProgOnExecCalls)
		delete(spec.Programs, utraceProgOnExitCalls)
	}
	if o.Sites == 0 {
		for _, name := range []string{utraceMapThreadsCalls, utraceMapOpenCalls, utraceMapOpenArgs, utraceMapDropped} {
			delete(spec.Maps, name)
		}
		return nil
	}
	if !o.FollowCalls {
		for _, name := range []string{utraceMapThreadsCalls, utraceMapOpenCalls, utraceMapOpenArgs, utraceMapDropped} {
			spec.Maps[name].MaxEntries = 1
		}
		return nil
	}
	spec.Maps[utraceMapDropped].MaxEntries = uint32(max(65536, 4*o.Funcs))
	return spec.Variables[utraceVarFollowCalls].Set(uint8(1))
}
