//go:build linux

package bpf

import (
	"encoding/binary"
	"math/bits"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"utrace/format"
)

// The constants, structs and records of types.h that Go code knows as well are compared with it, in
// the BTF of the committed objects. Whoever changes one side only breaks these tests.

// contract is the BTF of an object.
type contract struct {
	*testing.T
	spec *btf.Spec
}

// eachContract runs a test for the objects of all architectures.
func eachContract(t *testing.T, run func(c contract)) {
	for _, arch := range []string{"x86", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			spec, err := btf.LoadSpec("utrace_" + arch + "_bpfel.o")
			if err != nil {
				t.Fatal(err)
			}
			run(contract{t, spec})
		})
	}
}

func (c contract) structOf(name string) *btf.Struct {
	c.Helper()
	var s *btf.Struct
	if err := c.spec.TypeByName(name, &s); err != nil {
		c.Fatalf("struct %s: %v", name, err)
	}
	return s
}

// member returns the offset and size of a member, in bytes. A dot leads into an inner struct.
func (c contract) member(s *btf.Struct, path string) (offset, size int) {
	c.Helper()
	name, rest, inner := strings.Cut(path, ".")
	i := slices.IndexFunc(s.Members, func(m btf.Member) bool { return m.Name == name })
	if i < 0 {
		c.Fatalf("struct %s has no %s", s.Name, path)
	}
	m := s.Members[i]
	if inner {
		offset, size = c.member(btf.UnderlyingType(m.Type).(*btf.Struct), rest)
		return int(m.Offset.Bytes()) + offset, size
	}
	size, err := btf.Sizeof(m.Type)
	if err != nil {
		c.Fatal(err)
	}
	return int(m.Offset.Bytes()), size
}

// record makes a struct with these members, followed by the bytes of tail.
func (c contract) record(name string, members map[string]uint64, tail ...byte) []byte {
	c.Helper()
	s := c.structOf(name)
	rec := make([]byte, s.Size)
	for path, v := range members {
		at, size := c.member(s, path)
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], v)
		copy(rec[at:at+min(size, 8)], b[:])
	}
	return append(rec, tail...)
}

// TestConstants compares every enumerator of the enums that Go shares.
func TestConstants(t *testing.T) {
	shared := map[string]map[string]uint64{
		"limit": {
			"MAX_ARGS": MaxArgs, "MAX_CONDS": MaxConds, "MAX_DEREFS": MaxDerefs, "MAX_PATTERN": MaxPattern,
			"MAX_TEXT": MaxText + 2, "MAX_FRAMES": maxFrames,
			"SCRATCHES_PER_CPU": scratchesPerCPU, "GENERATIONS": generations, "COMM_BYTES": 16,
			"WAKEUP_IN_INTERRUPT_BIT": uint64(bits.TrailingZeros64(format.WakeupInInterrupt)),
			"WAKEUP_SENT_BIT":         uint64(bits.TrailingZeros64(format.WakeupSent)),
			"WAKEUP_SLEPT_BIT":        uint64(bits.TrailingZeros64(format.WakeupSlept)),
			"WAKEUP_GOROUTINE_BIT":    uint64(bits.TrailingZeros64(format.WakeupGoroutine)),
			"GO_STACK_TOP_BIT":        uint64(bits.TrailingZeros64(goStackTop)),
			"COOKIE_KIND_BIT":         cookieKindBit, "COOKIE_GOID_BIT": cookieGoidBit, "SESSION_RETURN_BIT": sessionReturnBit, "LAP_BIT": lapBit,
		},
		"record_kind": {
			"KIND_ENTRY": uint64(format.Entry), "KIND_RETURN": uint64(format.Return),
			"KIND_TAIL_ENTRY": uint64(format.TailEntry), "KIND_HIT": uint64(format.Hit),
			"KIND_SCHED_OUT": uint64(format.SchedOut), "KIND_SCHED_IN": uint64(format.SchedIn),
			"KIND_WAKEUP": uint64(format.Wakeup), "KIND_DROPPED": uint64(format.DroppedReturn),
			"KIND_DISPLACED": uint64(format.Displaced), "KIND_SAMPLE": uint64(format.Sample),
			"KIND_NAMED": kindNamed, "KIND_ARGS": kindArgs, "KIND_NAME": kindName, "KIND_STACK": kindStack,
		},
		"task_kind": {
			"TASK_FORK": uint64(TaskFork), "TASK_EXEC": uint64(TaskExec),
			"TASK_THREAD_EXIT": uint64(TaskThreadExit), "TASK_PROCESS_EXIT": uint64(TaskProcessExit),
		},
		"arg_from": {
			"ARG_CONSTANT": uint64(FromConstant), "ARG_REGISTER": uint64(FromRegister),
			"ARG_MEMORY": uint64(FromMemory), "ARG_NOWHERE": uint64(FromNowhere), "ARG_ADDRESS": uint64(FromAddress),
		},
		"arg_as":       {"AS_NUMBER": uint64(AsNumber), "AS_STRING": uint64(AsString), "AS_BYTES": uint64(AsBytes)},
		"arg_register": {"REGISTER_TLS": RegisterTLS, "REGISTER_ENTRY": RegisterEntry, "NO_REGISTER": NoRegister},
		"cond_op": {
			"COND_EQUAL": uint64(CondEqual), "COND_LESS": uint64(CondLess), "COND_LESS_OR_EQUAL": uint64(CondLessOrEqual),
			"COND_TEXT": uint64(CondText), "COND_GLOB": uint64(CondGlob),
		},
		"cond_end": {"COND_KEEP": CondKeep, "COND_DROP": CondDrop},
		"cond_subject": {
			"COND_PID": CondPID, "COND_TID": CondTID, "COND_COMM": CondComm, "COND_DURATION": CondDuration,
		},
		"site_flag": {
			"SITE_NAMED": uint64(SiteNamed), "SITE_NESTED": uint64(SiteNested), "SITE_KEYED": uint64(SiteKeyed),
			"SITE_FRAME": uint64(SiteFrame), "SITE_FUNCTION": uint64(SiteFunction),
			"SITE_TRAMPOLINE": uint64(SiteTrampoline), "SITE_PAIRED": uint64(SitePaired),
			"SITE_DEFERRED": uint64(SiteDeferred), "SITE_NO_RETURN": uint64(SiteNoReturn), "SITE_THREAD": uint64(SiteThread),
		},
		"call_state": {"CALL_UNDECIDED": callUndecided},
	}
	onlyInC := strings.Fields("MAX_TEXTS MAX_OPEN_TEXTS MAX_MATCHED MAX_NAME MAX_NESTED MAX_OPEN_CALLS MAX_LOOP MAX_FAULTS " +
		"PAGE_BYTES REGISTERS ALL_REGISTERS CALL_KEPT CALL_UNWANTED")
	eachContract(t, func(c contract) {
		for name, want := range shared {
			var enum *btf.Enum
			if err := c.spec.TypeByName(name, &enum); err != nil {
				c.Errorf("enum %s: %v", name, err)
				continue
			}
			found := 0
			for _, v := range enum.Values {
				switch w, ok := want[v.Name]; {
				case !ok && !slices.Contains(onlyInC, v.Name):
					c.Errorf("%s of enum %s is unknown in Go, and not among those that are only in C", v.Name, name)
				case ok && name == "arg_register" && v.Name != "NO_REGISTER" && strings.HasSuffix(c.Name(), "arm64"):
					found++ // only x86-64 has these
				case ok && w != v.Value:
					c.Errorf("%s is %d in C, %d in Go", v.Name, v.Value, w)
					found++
				case ok:
					found++
				}
			}
			if found != len(want) {
				c.Errorf("enum %s has %d of the %d values that Go knows", name, found, len(want))
			}
		}
	})
}

// TestLayouts compares structs that Go reads or writes as a whole: name, offset and size of each
// field.
func TestLayouts(t *testing.T) {
	renamed := map[string]string{
		"arg.signed": "is_signed", "arg.numderefs": "derefs", "arg.derefs": "deref", "cond.signed": "is_signed",
		"site.numargs": "args", "site.numconds": "conds", "site.args": "arg", "site.conds": "cond",
	}
	eachContract(t, func(c contract) {
		for name, v := range map[string]any{
			"arg": Arg{}, "cond": Cond{}, "site": Site{}, "func_limit": funcLimit{}, "process_use": ProcessUse{}, "func_loss": funcLoss{},
			"dropped_key": droppedKey{}, "dropped_calls": droppedCalls{}, "call_key": callKey{}, "open_call": openCall{},
			"thread_key": threadKey{}, "thread_calls": threadCalls{},
		} {
			s, typ := c.structOf(name), reflect.TypeOf(v)
			if packed := binary.Size(v); int(s.Size) != packed || int(typ.Size()) != packed {
				c.Errorf("struct %s has %d bytes, in Go %d, and %d when written", name, s.Size, typ.Size(), packed)
			}
			inC := map[string]bool{}
			for _, m := range s.Members {
				inC[m.Name] = !strings.HasPrefix(m.Name, "reserved")
			}
			for i := range typ.NumField() {
				f := typ.Field(i)
				if f.Name == "_" {
					continue
				}
				member := strings.ToLower(f.Name)
				if r, ok := renamed[name+"."+member]; ok {
					member = r
				} else if j := slices.IndexFunc(s.Members, func(m btf.Member) bool {
					return strings.ReplaceAll(m.Name, "_", "") == member
				}); j >= 0 {
					member = s.Members[j].Name
				}
				if at, size := c.member(s, member); at != int(f.Offset) || size != int(f.Type.Size()) {
					c.Errorf("%s.%s is at %d with %d bytes, in Go at %d with %d", name, member, at, size, f.Offset, f.Type.Size())
				}
				inC[member] = false
			}
			for member, missing := range inC {
				if missing {
					c.Errorf("%s.%s is missing in Go", name, member)
				}
			}
		}
	})
}

// eventMembers are distinct values for all of struct event, under a prefix.
func eventMembers(prefix string, kind uint64) map[string]uint64 {
	return map[string]uint64{
		prefix + "kind": kind, prefix + "func": 0x11111112, prefix + "time_ns": 0x2222222222222223,
		prefix + "sp": 0x3333333333333334, prefix + "value": 0x4444444444444445, prefix + "pid": 0x55555556, prefix + "tid": 0x66666667,
	}
}

// TestRecords decodes records that were laid out by the BTF.
func TestRecords(t *testing.T) {
	event := Event{
		Kind: format.TailEntry, Named: true, Func: 0x11111112, TimeNs: 0x2222222222222223,
		SP: 0x3333333333333334, Value: 0x4444444444444445, PID: 0x55555556, TID: 0x66666667,
	}
	goEvent := event
	goEvent.GoID = 0x7777777777777778
	eachContract(t, func(c contract) {
		const kind = 2 | kindNamed
		equal := func(what string, got, want any) {
			c.Helper()
			if !reflect.DeepEqual(got, want) {
				c.Errorf("%s: %+v, want %+v", what, got, want)
			}
		}
		var e Event
		e.Decode(c.record("event", eventMembers("", kind|1<<lapBit)))
		equal("event", e, event)
		equal("size of an event", int(c.structOf("event").Size), recordBytes)

		members := eventMembers("event.", kind)
		members["goid"] = goEvent.GoID
		e.Decode(c.record("go_event", members))
		equal("event of Go code", e, goEvent)

		members = eventMembers("event.", kind|kindArgs|kindName)
		members["goid"], members["name"], members["unreadable"], members["args"], members["bytes"] = goEvent.GoID, 8, 0x0402, 11, 3
		members["values"] = 1<<32 | 2 // of the first argument: a text
		rec := c.record("args_event", members, []byte("abc, and no more")...)
		e.Decode(rec)
		equal("event with arguments", e, goEvent)
		var v Values
		equal("has arguments", v.DecodeValues(rec), true)
		equal("arguments", []any{v.Len(), v.Name, v.NameOnly, v.unreadable, v.Number(0), string(v.texts)},
			[]any{11, uint64(8), true, uint16(0x0402), uint64(1<<32 | 2), "abc"})
		equal("text", string(v.Text(0)), "bc")
		equal("null pointers: readable, unreadable, not there", []bool{v.Null(0), v.Null(1), v.Null(11)}, []bool{false, true, false})
		if _, size := c.member(c.structOf("args_event"), "values"); size != 8*MaxArgs {
			c.Errorf("arguments have %d bytes, want %d", size, 8*MaxArgs)
		}

		var s Stack
		equal("has a stack", s.Decode(c.record("stack_event", map[string]uint64{
			"kind": kindStack, "frames": 1, "time_ns": 9, "stack": 10, "pid": 11, "tid": 12, "returns_to": 13})), true)
		equal("stack", s, Stack{TimeNs: 9, ID: 10, PID: 11, ReturnsTo: []uint64{13}})
		equal("has the stack of a sample", s.Decode(c.record("stack_event", map[string]uint64{
			"kind": kindStack | uint64(format.Sample), "frames": 1, "stack": 10, "leaf_returns_to": 14, "returns_to": 13})), true)
		equal("stack of a sample", s, Stack{ID: 10, Sampled: true, LeafReturnsTo: 14, ReturnsTo: []uint64{13}})
		equal("stack without room for more", int(c.structOf("stack_event").Size), stackBytes+8*maxFrames)

		equal("task", DecodeTask(c.record("task", map[string]uint64{
			"kind": 2, "other": 14, "time_ns": 15, "comm": 'x' | 'y'<<8, "pid": 16, "tid": 17})),
			Task{Kind: TaskExec, Other: 14, TimeNs: 15, Comm: "xy", PID: 16, TID: 17})

		losses := Losses{c.record("loss", map[string]uint64{"first_ns": 1, "last_ns": 2, "entries": 3, "returns": 4, "sched": 5}), 1}
		equal("size of a loss", int(c.structOf("loss").Size), lossBytes)
		losses.Take(func(_ int, lost Loss) {
			equal("loss", lost, Loss{FirstNs: 1, LastNs: 2, Entries: 3, Returns: 4, Sched: 5})
		})

		lane := c.structOf("lane")
		head, _ := c.member(lane, "head")
		tail, _ := c.member(lane, "tail")
		equal("lane: head, tail, size", []int{head, tail, int(lane.Size)}, []int{0, laneTail, laneBytes})
	})
}
