package bpf

import "utrace/format"

// Limits of a Site, see site.h.
const (
	MaxArgs    = 12
	MaxConds   = 16
	MaxPattern = 64   // bytes of a text in a condition
	MaxText    = 4094 // bytes of an argument's text
	MaxDerefs  = 3    // pointers on the way to an argument
)

// ArgFrom says where an argument is when the probe is passed.
type ArgFrom uint8

// See enum arg_from of site.h.
const (
	FromConstant ArgFrom = 0
	FromRegister ArgFrom = 1
	FromMemory   ArgFrom = 2
	FromNowhere  ArgFrom = 3 // it cannot be read
	FromAddress  ArgFrom = 4 // what FromMemory reads from, itself
)

// ArgAs says what an argument is.
type ArgAs uint8

// See enum arg_as of site.h.
const (
	AsNumber ArgAs = 0
	AsString ArgAs = 1 // an address of bytes up to a NUL
	AsBytes  ArgAs = 2 // an address of as many bytes as argument LengthArg says
)

// Registers that are none of the processor's, as words of struct pt_regs on x86-64: see site.h.
const (
	RegisterTLS   = 21
	RegisterEntry = 22
)

// NoRegister stands for no base or index.
const NoRegister = 255

// Arg is struct arg of site.h: how to fetch an argument.
type Arg struct {
	From        ArgFrom
	As          ArgAs
	Size        uint8 // bytes of the number or address
	Signed      bool
	Base, Index uint8 // words of struct pt_regs
	Shift       uint8 // of the index, or to the right of a register's value; bits
	LengthArg   uint8
	Max         uint32 // bytes of a text, with a NUL
	IndexLow    bool   // only the lower half of the index counts,
	IndexSigned bool   // which is signed
	NumDerefs   uint8
	_           uint8
	Disp        int64
	Derefs      [MaxDerefs]int32 // FromMemory: how far behind the address so far the next pointer is
	_           uint32
}

// CondOp is a comparison.
type CondOp uint8

// See enum cond_op of site.h.
const (
	CondEqual       CondOp = 0
	CondLess        CondOp = 1
	CondLessOrEqual CondOp = 2
	CondText        CondOp = 3
	CondGlob        CondOp = 4
)

// Instead of an index of the next comparison.
const (
	CondKeep = 254
	CondDrop = 255
)

// Instead of an argument.
const (
	CondPID  = 240
	CondTID  = 241
	CondComm = 242
	// CondDuration is how long the call has lasted, in nanoseconds; it is Late.
	CondDuration = 243
)

// Cond is struct cond of site.h: a comparison, and what follows from it.
type Cond struct {
	Op      CondOp
	Arg     uint8
	Signed  bool
	Length  uint8 // of Text
	Yes, No uint8
	Late    bool // of the arguments of the return
	Negate  bool // it holds where the comparison does not, but for what could not be read
	Value   uint64
	Text    [MaxPattern]byte
}

// SiteFlags are bits.
type SiteFlags uint16

// See site.h.
const (
	SiteNamed      SiteFlags = 1   // the arguments of Named are the name of a function
	SiteGated      SiteFlags = 2   // what happens to a return was decided at the entry, by nesting
	SiteKeyed      SiteFlags = 4   // argument Key tells calls apart
	SiteFrame      SiteFlags = 8   // the stack pointer is the same where a call begins and where it ends
	SiteFunction   SiteFlags = 16  // the entry of a function, or its return
	SiteTrampoline SiteFlags = 32  // a return that the kernel's trampoline sees
	SitePaired     SiteFlags = 64  // as SiteGated, where the stack pointer or SiteKeyed tells calls apart
	SiteFollowed   SiteFlags = 128 // see follow.h; then neither of the two before
	SiteEndless    SiteFlags = 256 // of a function whose return is not seen
	SiteThread     SiteFlags = 512 // RegisterTLS and RegisterEntry are wanted at the return
)

// Site is struct site of site.h: what to do at a probe with arguments.
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

// QuietCookie is the cookie of a probe that does nothing: it is there to raise a semaphore.
const QuietCookie = 0xffffffff
