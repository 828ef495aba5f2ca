package format

import "fmt"

// Kind is the kind of a row of a trace. Kinds below kindDefinition are events of a thread. The
// others are definitions, with JSON in the info column.
type Kind uint8

const (
	// Entry is the entry of a function.
	Entry Kind = 0
	// Return is the return of a function; Value is its return value.
	Return Kind = 1
	// TailEntry is an entry by a tail call. The frame of the caller is gone, but its return is
	// still to come, at the same stack pointer.
	TailEntry Kind = 2
	// Hit is an execution of a probe without a return, such as FUNC+0x10.
	Hit Kind = 3
	// Pause only moves the thread's clock: the gap was too long for one delta_ns.
	Pause Kind = 4
	// StackBase only sets the thread's stack base to Value. The stack_bytes of the thread's
	// following rows count down from it.
	StackBase Kind = 5
	// SchedOut is the moment at which a thread leaves its processor. Value is 0 if the thread could
	// run on: it was pre-empted, or gave way. Otherwise it is blocked, and Value is its state in
	// the kernel: 1 interruptible sleep, 2 uninterruptible sleep, or others.
	SchedOut Kind = 6
	// SchedIn is the moment at which a thread runs again.
	SchedIn Kind = 7
	// Wakeup is the moment at which a thread may run again. It can come shortly before the SchedOut
	// of a thread that is just going to sleep, and even if that thread then does not sleep. Value
	// is the ID of the waking thread, 0 for the idle one. WakeupInInterrupt is added if an
	// interrupt woke it, and perhaps WakeupSent or WakeupSlept. For goroutines see
	// WakeupGoroutine.
	Wakeup Kind = 8
	// DroppedReturn is the return of a call that did not meet a condition decided at the return.
	// Its entry is in the trace only because a kept call is inside. See Dropped.
	DroppedReturn Kind = 9
	// Displaced: the recorder pre-empted the thread. Value is how long, in ns, up to this moment.
	// The thread has no events in that time.
	Displaced Kind = 10
	// Exit is the end of a thread, and of the calls that are open in it. Value is 1 if its process
	// executes another program. Then the values of one of its threads have that program's name.
	Exit Kind = 11
	// Sample: the thread was running when the clock of its processor ticked. Value is the StackID
	// of where it was, 0 if that is unknown.
	Sample Kind = 12

	kindDefinition Kind = 16

	// KindModule defines a Module, KindFunc a Func, and so on.
	KindModule  Kind = 16
	KindFunc    Kind = 17
	KindProcess Kind = 18
	KindThread  Kind = 19
	KindLoss    Kind = 20
	KindLeftOut Kind = 21
	KindEnd     Kind = 22
	// KindCalibration defines a Calibration.
	KindCalibration Kind = 24
	// KindDropped defines a Dropped.
	KindDropped Kind = 25
	// KindStack defines a Stack.
	KindStack Kind = 26
	// KindProbeSet defines a ProbeSet, KindWindow a Window, KindSurvey a Survey.
	KindProbeSet Kind = 27
	KindWindow   Kind = 28
	KindSurvey   Kind = 29
)

// WakeupInInterrupt is in the Value of a Wakeup by an interrupt: of a timer, a device or the
// network. The thread in Value only happened to run on that CPU. Packets over the loopback network
// count as interrupts.
const WakeupInInterrupt = 1 << 32

// WakeupSent is added to WakeupInInterrupt if the thread in Value was in a system call that writes,
// sends, or closes. Then it has probably caused the interrupt, by a packet over the loopback
// network.
const WakeupSent = 1 << 33

// WakeupSlept is added to WakeupInInterrupt if the thread slept for a certain time, which is over.
const WakeupSlept = 1 << 35

// WakeupGoroutine is in the Value of a Wakeup of a goroutine by another one of the same process.
// The lower 32 bits are those of its number. Without it, WakeupInInterrupt is there, and the rest
// of the Value means nothing.
const WakeupGoroutine = 1 << 34

func kindNames() map[Kind]string {
	return map[Kind]string{
		Entry: "entry", Return: "return", TailEntry: "tail-entry", Hit: "hit", Pause: "pause", StackBase: "stack-base",
		SchedOut: "sched-out", SchedIn: "sched-in", Wakeup: "wakeup",
		KindModule: "module", KindFunc: "func", KindProcess: "process", KindThread: "thread", KindLoss: "loss",
		KindLeftOut: "left-out", KindEnd: "end",
		DroppedReturn: "dropped-return", KindDropped: "dropped", Displaced: "displaced", Exit: "exit", Sample: "sample",
		KindCalibration: "calibration", KindStack: "stack",
		KindProbeSet: "probe-set", KindWindow: "window", KindSurvey: "survey",
	}
}

func (k Kind) String() string {
	if name, ok := kindNames()[k]; ok {
		return name
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// IsEvent reports whether the kind comes from a probe: an entry, a return or a hit.
func (k Kind) IsEvent() bool { return k <= Hit || k == DroppedReturn }

// IsSched reports whether the kind comes from the scheduler.
func (k Kind) IsSched() bool { return k >= SchedOut && k <= Wakeup || k == Displaced }

// IsEntry reports whether the kind begins a call.
func (k Kind) IsEntry() bool { return k == Entry || k == TailEntry }

// IsDefinition reports whether the row is a definition, not an event of a thread.
func (k Kind) IsDefinition() bool { return k >= kindDefinition }

// ThreadID numbers the threads of a trace in the order of their definition. A kernel thread ID that
// is reused gets a new ThreadID. So does a thread that executes another program.
type ThreadID uint32

// FuncID numbers the functions of a trace in the order of their definition.
type FuncID uint32

// StackID numbers the stacks of a trace in the order of their definition, from 1. 0 is no stack.
type StackID uint32

// Event is one event, as the recorder gives it to a Writer.
type Event struct {
	TimeNs uint64 // since Meta.Start.MonoNs
	SP     uint64 // stack pointer at the function's entry, for returns as well; 0 unknown
	Value  uint64 // of a Return, SchedOut, Wakeup, Displaced or Exit; StackID of an entry or Sample; else 0
	Thread ThreadID
	Func   FuncID // 0 for kinds of the scheduler, for an Exit and for a Sample
	CPU    uint16 // of a Wakeup: the waker's
	Kind   Kind

	args uint32 // number of the writer's pending values, from 1; 0 for none
}
