// Package record attaches probes to functions and writes what they see into a
// trace.
//
//		probes, targets  →  Plan: files, functions, places  →  attach  →  drain rings  →  format.Writer
//
//	 1. A probe is parsed (probe.go) and looked up in the images of its target:
//	    the mapped files of a process, the libraries that the dynamic linker
//	    would load for a command, or a file by its path (scope.go, image.go).
//	 2. A function is placed (place.go): which instructions get a breakpoint, how its
//	    return is seen, or why it is left out. All this is a Plan, and attaches
//	    nothing (plan.go).
//	 3. Run starts the command, stopped (command.go), loads the BPF programs, attaches
//	    with as few links as the kernel allows (attach.go), and turns the probes on at once.
//	 4. A drainer empties the rings on a timer and puts the events of each thread
//	    back in order (drain.go); threads and processes are named as they appear, and
//	    told apart from later ones with the same ID (process.go).
//	 5. At the end the probes are turned off, the rings drained and the file completed.
//
// What there is to probe, List tells without a Plan (list.go).
//
// # Choosing, and the limit of overhead
//
// Where nothing says what to probe, utrace chooses (auto.go): for the machine the presets that fit what
// runs, for an interpreter that of its language, for another program all its functions. Nobody knows
// how hot these are, so Config.MaxOverhead takes functions off while recording:
//
//  1. What a hit costs is measured before anything is attached, see below. TypicalCosts can be wrong by a factor of 7 in a virtual machine.
//  2. The programs count hits by process and function, be their events recorded, lost or dropped by a
//     condition (bpf/limit.h). Nothing is counted without a limit. With one, the cost of counting was lost in the noise (200,000
//     calls at 7.7 us each, 5 times).
//  3. The drainer compares (limit.go), and takes off what costs most (takeoff.go): a flag ends the function's
//     records at one moment in all threads, so that no return is seen whose entry was not; then its links are closed,
//     which can take until pending calls return, while the recording goes on. For that each function has links of its own, or,
//     where the limit of open files is too low, a few functions share theirs and go together.
//  4. Calls that are open at that moment are incomplete. The reader of the trace ends those without a stack pointer.
//
// With bpf.Perf on Linux 6.13 and newer (which has better ways) a breakpoint can stay, unrecorded, until calls return that
// other return probes follow: closing a perf event waits for them with event_mutex held.
//
// Not counted: what a semaphore costs that is raised (CPython 3.11 interprets without calls 4 times as slowly), and the hits
// of processes that are not recorded.
//
// # What hits cost
//
// A process of our own (internal/calibrate) has a function for each class of site and payload, and calls the one that it is told many times in
// a row. The probes on them have programs and buffers of their own, so that nothing of it can get into the
// trace or its counts (calibration.go). The records alone tell the costs: from an entry to the next passes what a call of a function that does
// nothing costs in all, from an entry to its return what its duration shows of it, and where only the entry is probed,
// what an entry costs. That is all that an analysis needs, and needs no clock in the process.
//
// It runs on the processors that the first target may use. Five times when the recording begins, then at growing intervals and at last every second with the classes of the
// plan only, and once at the end (costwatch.go), 50 calls of each function: from 0.6 ms of processor time for one class of sites to 13 ms for all of them, on a virtual machine where a trap takes 5 us.
// All of it takes 0.15 to 0.3 s before the recording, of which the process and the verifier have most; 0.5 s were seen with 25 threads
// waiting for two processors.
//
// Note: medians, and interrupts apart. On a machine with load, the mean of 50 calls says how often the process was held up. How often it lost its processor
// is known (getrusage), so as many of the longest calls are left out; what the others take beyond their median is
// the kernel's other work, 5 to 15% of all time in that virtual machine.
//
// These are plain hits: the programs filter processes and count hits as those of the recording do, but leave out three things. The stack of callers
// (Config.Stacks) costs by its depth, which is not that of the calibrating process; a row of the scheduler (Config.Sched) is written where no hit is;
// and what it takes to follow a call (Config.SlowerThan, conditions on ret or duration) depends on the calls around it. So none of them
// is subtracted, nor known to Config.MaxOverhead. The cost of arguments is that of two texts, at a static probe; a limit takes it for the
// arguments and results of functions, too, and an analysis does not. Nor does it where a condition is decided at the entry: the time is taken behind
// that, unless there is a limit, with which the arguments stay in the duration.
//
// With bpf.Perf there is none of this: probes take too long to detach. Then nothing is subtracted, and the trace says so.
//
// # Following
//
// The kernel side keeps the set of recorded processes: a child joins it before it
// runs. Those that a running process has forked while the plan was made are listed once more, when the kernel side has been loaded. A uprobe_multi link with a process ID reaches only that process, so with Config.Follow
// the links are for all processes and the programs in the kernel filter. The price: whoever else runs a
// probed file hits the breakpoints, too, and pays about 1 us a time for nothing.
//
// Some probes of CPython break a program that has names which are not UTF-8 (runtime.go: breaking): with PyUnicode_AsUTF8 it encodes them
// for the probe, and leaves the exception of a failure behind. These are not attached in all processes, also where all are recorded, but in each by
// itself, once it has been looked at (guard.go). A child inherits the breakpoints of its parent, and nothing is recorded at them: perf events
// are taken out of it when it first hits one, those of uprobe_multi stay until the parent's links are closed (seen on Linux 6.18). The tracer
// of a command has the guard look at each process that is forked or has executed a program, before its first instruction.
//
// FUNC and LIB:FUNC speak of each program that is executed (follow.go). Its first calls must
// not be missed: the thread that has started the command stays its tracer
// (tracer.go), as strace is, and holds each process at exec until the new program is planned, defined and
// attached. Nobody else can debug the command meanwhile, and a fork and exec takes 1 ms more. Where
// all probes name a file by its path, and no stacks are recorded, there is nothing to look up and no tracer. Where the recorder is not the tracer
// (a running process), a program is looked up when the kernel's record of the
// exec is read, up to 50 ms later. Libraries are looked for in the mappings of each process, once a second or more often.
// The summary says what was attached late. The drainer alone uses the writer: it takes the definitions of what
// was found over a queue, which they enter before the probes are attached.
//
// Since a library is shared by programs that are not known yet, its functions are placed as if
// any of them could throw exceptions through it.
//
// A recording that follows ends with the last process, not with the command.
//
// # Running and waiting
//
// With Config.Sched, programs at sched_switch and sched_waking tell when a thread leaves its CPU, may run again, and
// runs (bpf/sched.h). They go into the same lanes as the events. Only threads that have had an event are looked at, which the
// probes note in a bit for each thread ID. What costs a switch is a record for each such thread: see BenchmarkSwitches.
//
// The order within a thread holds (drain.go), although its wakeups are written on the CPU of the waker: the tracepoint
// comes before the thread can run, so everything that it does later is written later. A thread that is just going to sleep, or
// that does not sleep after all, runs meanwhile; of those a reader must expect a wakeup that comes too early, or is none.
//
// The state of a thread is read from the task, not from the argument prev_state of newer kernels: that is the state
// the thread wanted, and with a signal pending it stays runnable. Wakeups by an interrupt are told from those by the thread
// that it interrupted: it has a stack of its own, or, on x86 in user code, the registers of the task say so. A packet that a
// thread sends to another on the same machine is delivered like an interrupt, so both are told: the interrupt and the thread.
//
// Goroutines have no such rows, nor have tracks: the kernel does not know them, and what a thread does is not what they do.
//
// # The recorder in the place of others
//
// Where all processors are busy, the recorder's own threads, and the process that measures costs, run where threads that are recorded
// would have run on. In two threads on two processors that was a fifth of the time. A program at sched_switch tells it
// (bpf/displaced.h): from when the recorder takes the place of a thread that could run on to when it leaves the processor, whoever
// runs there then, or the thread runs elsewhere. All other switches cost it two comparisons. Of Go programs it is told of the goroutine,
// whose number is found as by probes: its thread has not left its memory yet. What is not told is how long a thread that was woken
// up waited for the recorder to leave, and all that the kernel does for the recorder in others' time, as to write its file.
// Nor is it told where calls are followed to their return (Config.SlowerThan), for rows of such threads are written late.
//
// # Privileges and kernels
//
// Recording needs root, or CAP_BPF and CAP_PERFMON (to load and attach), and
// CAP_SYS_PTRACE (to read the maps of other users' processes), and Linux 5.15.
// There are two ways to attach (attach.go), of which bpf.Method.Choose takes the first
// that the kernel has:
//
//   - uprobe_multi links, since 6.6: one link for thousands of probes. Until 6.10 the
//     process filter of such a link let the first thread pass only (commit 46ba0e49b642, which
//     stable kernels took, too), so where that is missing, single processes are recorded in the other way.
//     A link for all processes, filtered by the programs, would see the threads; it would
//     also put return probes into programs for which nobody has checked that they bear them.
//   - Perf-event uprobes with a cookie, since 5.15: a perf event and a link, two open files,
//     for every probe. Closing one takes the kernel 40 to 125 ms, and it does one after the
//     other, so a recording of thousands of functions detaches for minutes, after its trace
//     is complete. Since the repair of CVE-2025-38466 they need CAP_SYS_ADMIN. When the first thread of a
//     process ends before others, they see no more of it; the trace then says so.
//
// Both tie the probes of a single process to its first thread. A program that another thread executes, which takes the place and the ID of the
// first, is not seen, and the trace says so.
//
// In both the kernel has a consumer for each probe, and runs those of one instruction from the latest to the first.
//
// Following and Config.Sched need BTF of the kernel (CONFIG_DEBUG_INFO_BTF), for a few fields of its tasks. Without it, and without
// following, the end of threads is not told, and a thread ID that is used again continues the old thread.
//
// # Why a return is not always seen by a return probe
//
// A return probe of the kernel (uretprobe) puts the address of its trampoline in the
// place of the return address. Seen on Linux 6.18: a C++ exception that
// unwinds through such a frame ends the program ("terminate called"), since no unwind
// table knows the trampoline; a thread that is cancelled below such a frame ends without the cleanup handlers and destructors
// above it; a program that calls swapcontext between entry and return
// runs astray, since the kernel keeps return addresses as a stack a thread; a signal
// handler on a stack that lies above that of the function it interrupts makes the
// kernel forget the function, which ends with SIGILL. So where one of these can happen, functions get
// probes on their return instructions instead. They change nothing in the program, but the kernel must step
// over each, which costs 10 us in a virtual machine and 1 us on metal, where a uretprobe costs 0.5.
// Data that read as a return instruction are none: control must come to it (elffile.Exits).
//
// That is a property of the process, not of a file (hazard.go): a library in C++ throws through
// a program in C. All files of the process count, mapped, needed or preloaded, but for the C library, and for
// libcrypto's asynchronous jobs; where the process is not known (a library in every process, or
// with following), the worst is assumed. So it is where a file of the process imports dlopen, for the library that it
// loads later can do all of that: perl, bash, PHP. Not meant are libraries whose plugins do not (loadsHarmless), a Redis 7 that
// runs, for it loads modules only when it starts, and the C library itself, whose plugins are for names and character sets. Code that
// switches stacks without a known name is looked for in all files. Leaf functions keep the cheap kind in a process without signal handlers:
// nothing unwinds or switches below them. Go programs get return instructions for all
// functions: the runtime moves stacks at any time.
//
// In a stripped file the functions that must not get a return probe (setjmp, swapcontext)
// cannot be told by their names. There, functions without a name get return instructions, too, if the file
// may hold a C library or has code that loads the stack pointer as only a switch of stacks does.
//
// longjmp is harmless: the kernel drops the frames that it has left. So is code
// in a language without exceptions that calls back into one with, except where an
// exception passes through it; the functions of the C library that are used like that
// (qsort, pthread_once and such, and its local functions) get return instructions in programs that can throw or switch
// stacks; so does all of it where the program hooks into streams, printf or argp, where it may cancel threads, which unwind from
// where they wait, and where it switches stacks and has signal handlers, which may do that.
//
// Note: no probe is put where a return address could not be told: the cold parts of functions, which
// are jumped into; the entry point; signal trampolines; functions with a loop back to
// their first instruction. The list of names in place.go is part of the safety of the tool.
//
// # On arm64
//
// A function is probed at its first instruction, which the kernel mostly steps over: it simulates branches, returns and adr only (arm64.go).
// So a probe on a return instruction costs there what a cheap one does. The return address is in a register, which a return
// probe replaces before the function saves or signs it. What the kernel refuses is left out: exclusive accesses, memory copies, and returns
// that check a signature (retaa, of code built for ARMv8.3), so that of such a function the entry alone is seen where a
// return probe would be in danger. So are loads relative to the program counter: the kernel steps over those of vector registers
// where nothing is that they look for, and did those of others wrongly until it refused them.
//
// Functions of Go are probed behind the check of their stack, as on x86-64.
//
// Tried in an emulated machine only (make test-kernels), with Linux 6.1 and 6.12: what is recorded is right; what it costs on metal
// is not known. TypicalCosts are those of x86-64.
//
// # Stacks of callers
//
// With Config.Stacks each entry has the stack of callers, by frame pointers (bpf/stack.h). At the entry of a function that register
// is still the caller's, and the return address of the caller is on top of the stack. The drainer looks at a stack as soon as it is told
// (stack.go), since it needs the mappings of the process (mapping.go): the tracer of a command reads them again when a process is
// about to end, a child that is gone has those of its parent. A process that utrace does not trace and that ends within 50 ms of its
// first stack can go without, and the summary counts such calls. Names and lines are looked up when the recording ends (caller.go).
//
// Code without frame pointers leaves anything in the register. So an address counts only if it is behind a call instruction of a file
// that is mapped there, or in code that was made at run time; the stack ends at one that is not. The direct caller is right in any case.
// What is behind a function that sets up no frame may lack callers: plan and summary say of which files that is true. It also ends where
// a thread changed its stack (signals on another stack, coroutines), at a signal handler, and at 127 places.
//
// A return probe hides the return address of the function that it is on: a place "[caller of a probed function]" stands for it. Of a traced
// function that is known, from its own entry: the kernel puts its probe on the return only after that.
//
// # Static probes
//
// The notes of static probes (USDT) say where each is and where its arguments are (elffile.USDTProbe). A probe that is
// asked for becomes a function of the plan (static.go): a hit, or a span if another one ends it. Each of its locations
// that is a nop, as it must be (misplaced.go), is a site of its own with the operands that it has there (bpf.Site): to fetch them, to decide on a
// condition and to tell a name is data, for one program. Semaphores are raised by the kernel, as reference counters of the
// uprobes, in each process that maps the file, also later.
//
// A span that begins and ends in the same functions of the file is paired by the stack pointer, as calls are: an error that jumps
// over its end does not make the next one lie in it. Other spans have none, and nest by their names. With a
// condition the kernel keeps which spans were kept, so that their ends are, too: by the stack pointer, or by the argument that tells
// spans apart; of those with neither, for each thread, which of its open ones, 2,048 deep; deeper ones are dropped.
// Spans that an argument tells apart (=> … on) may overlap and end on other threads: the drainer
// puts those that run at the same time into tracks, which are threads of the trace, as goroutines are (drainstatic.go).
//
// Objects that a program makes and loads while it runs (libstapsdt), mostly unlinked by then, are found by looking at its mappings:
// every 50 ms while a probe names nothing yet (follow.go).
//
// # Arguments and results of functions
//
// What a probe wants of a function is looked up for each function that it matches (signature.go): in the debug information, which knows types and, by
// location lists or the calling convention, the places at the chosen site (dwarf.Signature); or else by the calling convention
// alone, by position. Sites are chosen before any argument register is overwritten (entry.go). The result is a bpf.Site for the entry and one for
// the return: data, as for static probes.
//
// A condition on arguments is decided at the entry; the kernel keeps the calls that it has kept by thread, stack pointer and function, and
// their returns look there. One on ret or duration, as of --slower-than, is decided at the return (bpf/follow.h). Then the kernel follows all
// calls of the recording with the rules of the analyzer, writes entries late, and counts what it drops (dropped.go): calls, their sum, what is
// outermost, what is their own, and what is inside of calls that were kept, so that the report can be that of all calls.
//
// Note: the first way to defer that was thought of, one record for the whole call at its return, breaks the order of a thread's events, and so
// every flow; a late entry does not, as long as all that is around it has been written before anything inside it is. Rows of the scheduler
// and passes over instructions are written at once, when nothing knows whether what is around them will be kept: they are refused (ErrLate).
//
// # Runtimes of languages
//
// Interpreters have static probes that pass the name of the function that is called. What they pass is not
// recorded with each call: the program in the kernel makes a number of 64 bits from the bytes of the name and sends that; with
// the first call of a function it sends the bytes, too (bpf/name.h: name_of; bpf/site.h: put_site), and the drainer defines
// a function of the trace (catalog.go). It must not be wrong when memory is used again, so
//
//   - the number comes from the bytes, read at every call: an address is never taken for a name;
//   - it is mixed with a secret of the recording, so that no program can choose names that have the same number;
//   - what could not be sent is not counted as sent, and is sent with the next call;
//   - only an entry tells a name, since the line of a return is not where the function begins.
//
// An event may be read before the bytes of its name, when they are in the ring of another CPU: it waits for them (drainstatic.go).
//
// Which probes a runtime passes depends on how it was built and started. runtime.go finds that out from what the file exports and
// from the memory of the process (memory.go). What it relies on, with the versions that were tried:
//
//   - CPython 3.11.2 passes functions only on its tracing path, which the semaphore of the probe "line" turns on (runtime.go: raised).
//     Python calls Python in one frame of C, so the stack pointer says nothing; entries and returns are complete and nest, also for
//     generators, exceptions and interpreters in one process, but not for greenlets.
//   - PHP 8.2 looks at USE_ZEND_DTRACE when it starts. php-fpm overwrites the environment that others see, so zend_dtrace_enabled is read.
//   - HotSpot 17 and 25: the flag DTraceMethodProbes is found by the tables for debuggers (gHotSpotVMStructs). Strings have a
//     length and no end. The launcher loads libjvm.so with dlopen: it is planned ahead of that (startedLibraries).
//   - Ruby 3.1 passes methods while ruby_vm_event_flags has the bits of calls and returns. Its methods in C are refused (harm).
//   - PostgreSQL 15 passes query__execute__start twice for statements that change data: only PortalRun's counts. The end of a query that
//     fails is jumped over, so both ends of a span are paired by the stack pointer (sameFunctions).
package record
