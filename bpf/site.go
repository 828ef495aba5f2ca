//go:build linux

package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"utrace/format"
)

// Limits of a Site, see types.h.
const (
	MaxArgs    = 12
	MaxConds   = 16
	MaxPattern = 64   // bytes of a text in a condition
	MaxText    = 4094 // bytes of an argument's text; MAX_TEXT without its NUL and a byte to spare
	MaxDerefs  = 3    // pointers on the way to an argument
)

// ArgFrom says how to read an argument.
type ArgFrom uint8

// See enum arg_from of types.h.
const (
	FromConstant ArgFrom = 0
	FromRegister ArgFrom = 1
	FromMemory   ArgFrom = 2
	FromNowhere  ArgFrom = 3 // cannot be read
	FromAddress  ArgFrom = 4 // the address that FromMemory would read
)

// ArgAs says what an argument is.
type ArgAs uint8

// See enum arg_as of types.h.
const (
	AsNumber ArgAs = 0
	AsString ArgAs = 1 // the address of bytes up to a NUL
	AsBytes  ArgAs = 2 // the address of as many bytes as argument LengthArg says
)

// Pseudo-registers, numbered as on x86-64: see enum arg_register of types.h.
const (
	RegisterTLS   = 21 // the base of the thread's own variables
	RegisterEntry = 22 // the address of the function's probed entry
)

// NoRegister means no base or index.
const NoRegister = 255

// Arg is struct arg of types.h: how to fetch an argument.
type Arg struct {
	From        ArgFrom
	As          ArgAs
	Size        uint8 // bytes of the number or address
	Signed      bool
	Base, Index uint8 // words of struct pt_regs
	Shift       uint8 // of the index; FromRegister: to the right, of the value; bits
	LengthArg   uint8
	Max         uint32 // bytes of a text, with a NUL
	IndexLow    bool   // only the lower half of the index counts
	IndexSigned bool   // that half is signed
	NumDerefs   uint8
	_           uint8
	Disp        int64
	Derefs      [MaxDerefs]int32 // offset of the next pointer from the address so far
	_           uint32
}

// CondOp is a comparison.
type CondOp uint8

// See enum cond_op of types.h.
const (
	CondEqual       CondOp = 0
	CondLess        CondOp = 1
	CondLessOrEqual CondOp = 2
	CondText        CondOp = 3
	CondGlob        CondOp = 4
)

// How a condition ends, instead of the index of the next comparison.
const (
	CondKeep = 254
	CondDrop = 255
)

// What is compared, instead of an argument.
const (
	CondPID  = 240
	CondTID  = 241
	CondComm = 242
	// CondDuration is how long the call has lasted, in nanoseconds; it is Late.
	CondDuration = 243
)

// Cond is struct cond of types.h: a comparison, and which one is next.
type Cond struct {
	Op      CondOp
	Arg     uint8
	Signed  bool
	Length  uint8 // of Text
	Yes, No uint8
	Late    bool // made at the return, of the return's arguments
	Negate  bool // holds where the comparison does not, except for an unreadable argument
	Value   uint64
	Text    [MaxPattern]byte
}

// SiteFlags are bits.
type SiteFlags uint16

// See enum site_flag of types.h.
const (
	SiteNamed      SiteFlags = 1   // the arguments of Named are the name of a function
	SiteNested     SiteFlags = 2   // a return shares its entry's decision; only nesting pairs them
	SiteKeyed      SiteFlags = 4   // argument Key distinguishes calls
	SiteFrame      SiteFlags = 8   // the stack pointer is the same at a call's begin and end
	SiteFunction   SiteFlags = 16  // the entry or return of a function
	SiteTrampoline SiteFlags = 32  // a return probe: it goes through the kernel's trampoline
	SitePaired     SiteFlags = 64  // as SiteNested, but the stack pointer or SiteKeyed pairs them
	SiteDeferred   SiteFlags = 128 // see deferred.h; excludes SiteNested and SitePaired
	SiteNoReturn   SiteFlags = 256 // of a function whose return is not seen
	SiteThread     SiteFlags = 512 // its return needs RegisterTLS and RegisterEntry
)

// Site is struct site of types.h: what to do at a probe with arguments.
type Site struct {
	Func     format.FuncID // as the programs number them
	Kind     format.Kind
	NumArgs  uint8
	NumConds uint8
	Key      uint8
	Named    uint16 // mask of arguments
	Flags    SiteFlags
	GoID     uint16 // see Cookie
	_        uint16
	Args     [MaxArgs]Arg
	Conds    [MaxConds]Cond
}

// AddSite adds a site to the table of the programs and returns the cookie of its probe.
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

// sessionReturnBit is SESSION_RETURN_BIT of types.h.
const sessionReturnBit = 32

// SessionCookie is the cookie of a session, from those of the sites of a function's entry and return.
func SessionCookie(entry, exit uint64) uint64 { return exit<<sessionReturnBit | entry }

// QuietCookie is the cookie of a probe that records nothing: it only raises a semaphore.
const QuietCookie = 0xffffffff

// scratchesPerCPU is SCRATCHES_PER_CPU of types.h.
const scratchesPerCPU = 4

// maxUnmet is for how many functions hits that do not meet a condition are counted: 16 bytes each,
// on each possible CPU. Functions with conditions were named by somebody, so they are few.
const maxUnmet = 1 << 12

// prepareSites makes room for sites, or leaves out what only they need.
func prepareSites(spec *ebpf.CollectionSpec, o Options, cpus int, tlsOffset uint32) error {
	if err := spec.Variables[utraceVarTlsOffset].Set(tlsOffset); err != nil {
		return err
	}
	if !o.Sessions {
		delete(spec.Programs, utraceProgOnCall)
	}
	if o.Sites == 0 {
		delete(spec.Programs, utraceProgOnSite)
		for _, name := range []string{
			utraceMapSites, utraceMapScratches, utraceMapSentNames, utraceMapNestedCalls,
			utraceMapNoNestedCalls, utraceMapKeptCalls, utraceMapEntryAddresses, utraceMapUnmet,
		} {
			delete(spec.Maps, name)
		}
		return nil
	}
	spec.Maps[utraceMapSites].MaxEntries = uint32(o.Sites)
	if o.Conditions {
		spec.Maps[utraceMapUnmet].MaxEntries = uint32(min(max(1, o.Funcs), maxUnmet))
	}
	spec.Maps[utraceMapScratches].MaxEntries = uint32(cpus * scratchesPerCPU)
	return spec.Variables[utraceVarNameSeed].Set(rand.Uint64())
}

// tlsOffset returns the offset in the kernel's struct task_struct of the base of a thread's own
// variables, 0 if that is unknown: thread.fsbase on x86-64 (arch/x86/include/asm/processor.h).
func tlsOffset(kernel *btf.Spec) uint32 {
	var task *btf.Struct
	if runtime.GOARCH != "amd64" || kernel.TypeByName("task_struct", &task) != nil {
		return 0
	}
	for _, m := range task.Members {
		thread, ok := btf.UnderlyingType(m.Type).(*btf.Struct)
		if m.Name != "thread" || !ok {
			continue
		}
		for _, base := range thread.Members {
			if base.Name == "fsbase" {
				return m.Offset.Bytes() + base.Offset.Bytes()
			}
		}
	}
	return 0
}
