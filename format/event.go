package format

import "fmt"

// Kind says what a row of a trace is. Kinds below kindDefinition are events
// of a thread; the others are definitions, which carry JSON in the info column.
type Kind uint8

const (
	// Entry is the entry of a function.
	Entry Kind = 0
	// Return is the return of a function; Value is its return value.
	Return Kind = 1
	// TailEntry is an entry reached by a tail call: the caller has given up
	// its frame, but its return is still to be seen, at the same stack pointer.
	TailEntry Kind = 2
	// Hit is a pass over a probe that has no return, such as FUNC+0x10.
	Hit Kind = 3
	// Pause only moves the thread's clock: a gap too long for one delta_ns.
	Pause Kind = 4
	// StackBase only sets the thread's stack base to Value; stack_bytes of the
	// thread's following rows count downwards from it.
	StackBase Kind = 5
	// SchedOut is the moment at which a thread leaves its processor. Value is 0 if it could run on (it was
	// preempted, or gave way), else it is blocked, and Value is its state as the kernel has it: 1 interruptible sleep, 2
	// uninterruptible, or others.
	SchedOut Kind = 6
	// SchedIn is the moment at which a thread runs again.
	SchedIn Kind = 7
	// Wakeup is the moment at which a thread may run again. It can come shortly before the SchedOut of a thread that
	// is just going to sleep, and also for a thread that then does not. Value is the ID of the thread that did it, 0 for
	// the idle one, with WakeupInInterrupt added if not this thread did it but an interrupt.
	Wakeup Kind = 8
	// DroppedReturn is the return of a call that did not meet a condition which is decided at the return; its entry is there
	// since it contains what did. See Dropped.
	DroppedReturn Kind = 9
	// Displaced says that the recorder has run where the thread would have run on. Value is for how long, in ns, up to this
	// moment. Meanwhile the thread has no events.
	Displaced Kind = 10

	kindDefinition Kind = 16

	// KindModule defines a Module, KindFunc a Func, and so on.
	KindModule  Kind = 16
	KindFunc    Kind = 17
	KindProcess Kind = 18
	KindThread  Kind = 19
	KindLoss    Kind = 20
	KindLeftOut Kind = 21
	KindEnd     Kind = 22
	// KindTakenOff defines a TakenOff.
	KindTakenOff Kind = 23
	// KindCalibration defines a Calibration.
	KindCalibration Kind = 24
	// KindDropped defines a Dropped.
	KindDropped Kind = 25
	// KindStack defines a Stack.
	KindStack Kind = 26
)

// WakeupInInterrupt is in the Value of a Wakeup that came from an interrupt (of a timer, a device, the network) while
// the thread happened to run there. What a thread sends to another over the loopback network is handled like an interrupt, too.
const WakeupInInterrupt = 1 << 32

func kindNames() map[Kind]string {
	return map[Kind]string{
		Entry: "entry", Return: "return", TailEntry: "tail-entry", Hit: "hit", Pause: "pause", StackBase: "stack-base",
		SchedOut: "sched-out", SchedIn: "sched-in", Wakeup: "wakeup",
		KindModule: "module", KindFunc: "func", KindProcess: "process", KindThread: "thread", KindLoss: "loss",
		KindLeftOut: "left-out", KindEnd: "end", KindTakenOff: "taken-off",
		DroppedReturn: "dropped-return", KindDropped: "dropped", Displaced: "displaced",
		KindCalibration: "calibration", KindStack: "stack",
	}
}

func (k Kind) String() string {
	if name, ok := kindNames()[k]; ok {
		return name
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// IsEvent reports whether the kind is something that a probe saw: an entry, a
// return or a hit.
func (k Kind) IsEvent() bool { return k <= Hit || k == DroppedReturn }

// IsSched reports whether the kind is something that the scheduler did with the thread.
func (k Kind) IsSched() bool { return k >= SchedOut && k <= Wakeup || k == Displaced }

// IsEntry reports whether the kind begins a call.
func (k Kind) IsEntry() bool { return k == Entry || k == TailEntry }

// IsDefinition reports whether the row defines something instead of being an
// event of a thread.
func (k Kind) IsDefinition() bool { return k >= kindDefinition }

// ThreadID numbers the threads of a trace in the order of their definition.
// A kernel thread ID that is used again gets a new ThreadID, and so does a
// thread that executes another program.
type ThreadID uint32

// FuncID numbers the functions of a trace in the order of their definition.
type FuncID uint32

// StackID numbers the stacks of a trace in the order of their definition, from 1. 0 is no stack.
type StackID uint32

// Event is one event as the recorder hands it to a Writer.
type Event struct {
	TimeNs uint64 // since Meta.Start.MonoNs
	SP     uint64 // stack pointer at the function's entry, for returns too; 0 unknown
	Value  uint64 // of a Return, SchedOut, Wakeup or Displaced; StackID of an entry; else 0
	Thread ThreadID
	Func   FuncID // 0 for what the scheduler did
	CPU    uint16 // of a Wakeup that of the waker
	Kind   Kind

	args uint32 // see Writer.AppendArgs: which of the writer's pending ones, counted from 1
}
