// Package record attaches probes to functions and writes their events into a trace.
//
//	probes, targets  →  plan.New: files, functions, sites  →  attach  →  drain rings  →  format.Writer
//
// A recording takes these steps:
//
//  1. ParseProbe parses a probe, and plan.New resolves it: it finds the files and functions, and
//     places the probes. A plan attaches nothing.
//  2. Run starts the command, held before its first instruction (internal/command), and loads the BPF
//     programs.
//  3. It measures the cost of hits (costwatch.go), and attaches with as few links as the kernel
//     allows (attachedprobes.go). Then it turns all probes on at once (start.go).
//  4. A drainer empties the rings on a timer and restores the order of each thread's events
//     (drainer.go). Threads and processes are named as they appear. Each life of a thread ID is a
//     thread of its own, up to its end or an exec (record/internal/threads).
//  5. At the end the probes are turned off, the rings drained, and the file completed (finish.go).
//
// Package list finds out what there is to probe, without a plan.
//
// # Surveys: the overhead limit
//
// Config.MaxOverhead limits what the probes may cost each process. A survey keeps to it: it
// attaches functions in sets, and hot functions only at times (internal/survey).
//
// # The cost of hits
//
// A process of our own (internal/calibrate) has a function for each class of site and payload. On
// request it calls one of them many times in a row. Its probes have programs and buffers of their
// own, so that nothing of it gets into the trace or its counts (calibrator.go). The records alone
// show the costs:
//
//   - from an entry to the next: the total cost of a call of a function that does nothing;
//   - from an entry to its return: the part of the cost that its duration contains;
//   - from an entry to the next, where only the entry is probed: the cost of an entry.
//
// An analysis needs nothing else, and the process needs no clock.
//
// The process runs on the processors that the first target may use. Each measurement makes 50 calls
// of each function. On a virtual machine where a trap takes 5 us, that takes from 0.6 ms of
// processor time, for one class of sites, to 13 ms, for all. There are five measurements when the
// recording begins, and one at its end. In between they are repeated at growing intervals, up to a
// second, for the classes of the plan only (costwatch.go). The start takes 0.15 to 0.3 s in all,
// most of it for the process and the verifier. It took 0.5 s with 25 threads waiting for two
// processors.
//
// Note: costs are medians, and interrupts are kept apart. On a loaded machine, the mean of 50 calls
// shows how often the process was held up. The process knows how often it lost its processor
// (getrusage), so as many of the longest calls are left out. The time of the others beyond their
// median is the kernel's other work: 5 to 15% of all time in that virtual machine.
//
// These are plain hits: the programs filter processes and count hits like those of the recording.
// They exclude three things, which are therefore neither subtracted nor part of Config.MaxOverhead:
//
//   - The stack of callers (Config.Stacks): its cost depends on its depth, which differs from the
//     depth in the calibrator's process.
//   - A row of the scheduler (Config.Sched): it is written where there is no hit.
//   - Deferred calls (Config.SlowerThan, conditions on ret or duration): their cost depends on the
//     calls around them.
//
// A call that a condition on arguments drops counts with the cost of an entry that is followed by a
// return. Where it has no trap at its return (bpf.Sessions), that is some hundred ns too much.
//
// The cost of arguments is the cost of two texts, at a static probe. The overhead limit also uses
// it for arguments and results of functions; an analysis does not. Without an overhead limit, the
// time is taken after a condition decided at the entry, so its cost is outside the duration. With a
// limit it is taken before, so the duration includes that cost.
//
// bpf.Perf has none of this, because its probes take too long to detach. Then nothing is
// subtracted, and the trace says so.
//
// # Following children
//
// The kernel side keeps the set of recorded processes: a child joins it before it runs. Children
// that were forked while the plan was made are added once the kernel side is loaded.
//
// A recording with Config.Follow ends with the last process, not with the command.
//
// # Processes that a selection chooses
//
// With Config.Select, a process is recorded because of what it is (internal/selector), and any
// process may come to match. This is Config.Follow with another rule for who joins and leaves the
// kernel side's set (selected.go):
//
//   - A child of a recorded process joins before it runs. It leaves if it does not match, also when
//     it has executed a program. In the trace it then ends.
//   - The kernel side reports the execs of all other processes. One that matches joins, some
//     milliseconds after its program began to run.
//   - Once a second all processes are looked at, for those that match because of a new name, user or
//     control group. That takes 15 to 80 us for each process, most for names of threads. So it
//     happens less often on large machines, to use a hundredth of a processor at most.
//   - A process that does not match any more stays until its next exec: names of threads come and
//     go.
//
// Others are expected to run the same programs. So each process has links of its own from the
// beginning. A child that executes a program which does not match can carry breakpoints in libraries
// until it has left. The recording has no last process: another one may match later.
//
// # Links for one process, or for all
//
// A uprobe_multi link with a process ID puts breakpoints into that process only. A link without one
// puts them into every process that maps the file, also later. Both have a price:
//
//   - A program that reads its own code carries breakpoints elsewhere and is killed by SIGTRAP:
//     valgrind translates it, others move it to huge pages or copy the first bytes of functions. So
//     links for all harm processes that are not recorded, and make them slower.
//   - The kernel calls the programs of all links of an instruction, whichever process hits it. On
//     Linux 6.18 each further process with links of its own adds 60 to 90 ns to each call. Links
//     for all cost the same with 200 processes as with one.
//   - A new process gets its own links only after it has begun to run, unless a tracer holds it.
//     Links for all miss nothing.
//
// So links are chosen as follows (bystanders.go, arrivals.go):
//
//   - Processes that are not followed have links of their own.
//   - So have a command and its children. The tracer holds each child until it has them.
//   - Otherwise, with children of running processes or with the whole machine, links are for all,
//     unless a process runs that must not get the breakpoints: it reads code, or runs a probed file
//     and is not recorded. When such a process starts later, the links are replaced. Breakpoints
//     are removed first, so calls of the next milliseconds are missing.
//
// Programs that read code are known by name, libraries, options and debuggers (plan.TextReader).
// With links for single processes, one that starts is looked at before it gets any.
//
// A child inherits the breakpoints of its parent, and nothing is recorded at them. Those of perf
// events are removed from the child when it first hits one. Those of uprobe_multi stay until some
// link of the instruction is closed (register_for_each_vma in kernel/events/uprobes.c).
//
// On kernels without ThreadFilter all links of followed processes are for all.
//
// # Breakpoints that vanish
//
// The kernel does not notice when a program discards its code (madvise), maps the file anew or
// moves its code to other memory. Once a second, and when a process is about to end, the entries'
// instructions are compared with the file (textwatch.go). A breakpoint that is not there is
// reported.
//
// A program can also overwrite the code of a function, to hook or patch it. A breakpoint placed after
// that crashes the program or undoes the change (record/internal/patched). So the code is compared
// before links for one process are made: functions that differ get none in that process
// (attachedprobes.go). Of links for all processes, plan.New looks at the processes that run already.
//
// # Discovering programs and libraries
//
// FUNC and LIB:FUNC apply to each program that is executed (discoverer.go). Its first calls must
// not be missed. So the thread that has started the command remains its tracer (internal/command),
// as in strace. It holds each process at exec until the new program is planned, defined and
// attached. Meanwhile nobody else can debug the command, and a fork and exec takes 1 ms more.
//
// A command must behave as it does alone (internal/hold, internal/untraceable):
//
//   - It has the signals, rights and open files that the recorder was started with. Under sudo it
//     has the rights of the user who called sudo. A set-user-ID program has its own.
//   - A process cannot have two tracers, and some programs do not run with one: LeakSanitizer,
//     debuggers, programs that look for a debugger. The tracer lets go of them at exec, once their
//     probes are in place. If a debugger's arguments name a traced process, it lets go of all.
//
// Not the same are
//
//   - what fork does not pass on: PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER;
//   - closed standard files, for which Go's runtime opens /dev/null;
//   - ignored SIGSEGV, SIGPROF and SIGSYS, which Go's runtime cannot ignore;
//   - ru_maxrss of the command itself: execve keeps the recorder's, about 25 MB.
//
// In a process that was already running, the recorder is not the tracer. Its new programs are
// discovered when the kernel's record of the exec is read, about a millisecond later. Libraries are
// discovered in the mappings of each process, once a second or more often. The summary says what
// was attached late. Only the drainer uses the writer of the trace. It gets the definitions of
// discovered functions through a queue (definitions.go), before their probes are attached.
//
// If no file has what the probes name, plan.New fails, since a recording in vain could last for
// hours. Two recordings wait: one with Config.Wait, and one of a followed command whose code may
// execute other programs (elffile.File.Executes), since `sh -c ./prog` means prog.
//
// A shared library can be used by programs that are not known yet. So its functions are placed as
// if any of them could throw exceptions through it.
//
// # Probes that are attached process by process
//
// Some probes of CPython break a program that has names which are not UTF-8 (plan.NotUTF8). For the
// probe, CPython encodes these names with PyUnicode_AsUTF8, and leaves the exception of a failure
// pending. Such probes are never attached in all processes, even if all are recorded. They are
// attached in each process after it has been checked (processes.go).
//
// # A recorder that is killed
//
// A process of our own makes the links, holds them, and removes them once the recorder has ended
// (internal/linker). A killed recorder cannot remove them: it would leave thousands of breakpoints
// in its targets. Another process needs to send requests. Recording 3,000 functions with a link
// each took 1.2 s instead of 1.05 s, and no longer with one link for all.
//
// # Running and waiting
//
// With Config.Sched, programs at sched_switch and sched_waking record when a thread leaves its CPU,
// becomes runnable, and runs (bpf/sched.h). Their records go into the same lanes as the events.
// They examine only threads that have had an event, which the probes note in a bit for each thread
// ID. The cost is a record at each switch of such a thread: see BenchmarkSwitches.
//
// A wakeup is written on the waker's CPU, but before the thread can run. So the thread's order
// still holds (drainer.go). A thread that is about to sleep, or decides not to, is running
// meanwhile. So a reader must expect that its wakeup comes too early, or without a sleep.
//
// The state of a thread is read from the task. The argument prev_state of newer kernels is the
// state that the thread wanted, and with a signal pending it remains runnable. Wakeups by an
// interrupt are distinguished from wakeups by the interrupted thread. An interrupt has a stack of
// its own. On x86, in user code, the registers of the task show it. A packet that a thread sends to
// another one on the same machine is delivered like an interrupt. So both are recorded, the
// interrupt and the thread.
//
// The thread that runs when an interrupt delivers a packet over the loopback network is the sender,
// inside its system call. A wakeup says so if that is a call that sends, writes or closes. On arm64
// the number of the system call is not read.
//
// Goroutines and tracks have no such rows. The kernel does not know them, and the state of a thread
// is not theirs. But Go's runtime has two functions that all waits of goroutines for others go
// through: gopark, which the one that waits calls, and ready, which is called by what ends the wait
// (runtime/proc.go). With Config.Sched both are probed (bpf/handoff.h). The goroutine for which the
// scheduler's stack runs ready is the waker. If there is none, a timer was.
//
// Note: these two probes are not there without Config.Sched. In a program that only hands a number
// to and fro between two goroutines, they raised the time of a round from 0.27 to 7 us, for four
// hits. The runtime's netpoller makes goroutines ready in lists (injectglist), not by ready: who
// woke those is unknown, as is their time in system calls.
//
// # Threads displaced by the recorder
//
// If all processors are busy, the recorder's own threads, and the process that measures costs,
// pre-empt recorded threads. With two threads on two processors that took a fifth of the time. A
// program at sched_switch records it (bpf/displaced.h). The interval begins when the recorder
// displaces a thread that could run on. It ends when the recorder leaves the processor, whoever
// runs there then, or when the thread runs elsewhere. All other switches cost two comparisons.
//
// In Go programs the goroutine is recorded. Its number is read as in probes, because the thread's
// memory is still mapped. Three things are not recorded:
//
//   - how long a woken thread waited for the recorder to leave;
//   - the kernel's work for the recorder in the time of others, such as writing its file;
//   - anything while calls are deferred (Config.SlowerThan), because rows of such threads are
//     written late.
//
// # Privileges and kernels
//
// Recording needs Linux 5.15, and root or these capabilities: CAP_BPF and CAP_PERFMON to load and
// attach, CAP_SYS_PTRACE to read the maps of other users' processes. There are two methods to
// attach (internal/linker). bpf.Method.Choose takes the first one that the kernel has:
//
//   - uprobe_multi links, since 6.6: one link for thousands of probes. Until 6.10 the process
//     filter of such a link let only the first thread pass (commit 46ba0e49b642, which stable
//     kernels have as well). Without that commit, single processes are recorded by the other
//     method. A link for all processes, filtered by the programs, would see the threads. But it
//     would put return probes into programs that nobody has checked for them.
//   - Perf-event uprobes with a cookie, since 5.15: a perf event and a link, two open files, for
//     each probe. Closing one takes the kernel 40 to 125 ms, one after the other. So a recording of
//     thousands of functions detaches for minutes, after its trace is complete. Since the fix of
//     CVE-2025-38466 they need CAP_SYS_ADMIN. If the first thread of a process ends before others,
//     they see no more of the process; the trace then says so.
//
// Both tie the probes of a single process to its first thread. If another thread executes a
// program, it takes the ID of the first one, and the program is not seen. The trace says so.
//
// In both the kernel has a consumer for each probe, and runs those of one instruction from the
// latest to the first.
//
// Config.Follow and Config.Sched need BTF of the kernel (CONFIG_DEBUG_INFO_BTF), for a few fields
// of its tasks. Without BTF and Config.Follow the end of threads is not reported, and a reused
// thread ID is taken for the old thread.
//
// # Samples of processor time
//
// With Config.Samples, the clock of each processor ticks that often, and a program records where the
// interrupted thread is, if its process is recorded (bpf/sample.h). So samples show functions that
// are not probed, and which of them use the processors. The drainer writes them, and the sampler
// counts them by stack (sampler.go).
//
// A sample takes the program 0.6 us in a process with three callers, and 4 to 6 us with 25. The
// samples of a process that is probed include the time of its probes.
//
// They are left out, with a notice, where the kernel does not allow perf events of processors. They
// are also left out while calls are deferred (Config.SlowerThan, conditions on ret or duration): the
// rows of such threads are written late.
//
// # Spans
//
// The kernel raises the semaphores of static probes, as reference counters of the uprobes. It does
// so in each process that maps the file, also later.
//
// Spans that an argument identifies (=> … on) may overlap and end on other threads. The drainer
// puts overlapping spans onto tracks, which are threads of the trace, like goroutines (tracks.go).
//
// # Names from interpreters
//
// Interpreters have static probes with the name of the called function as arguments. Recording the
// name with each call would be too much. Instead the program in the kernel makes a number of 64
// bits from its bytes and sends that. With the first call of a function it also sends the bytes
// (bpf/name.h: name_of; bpf/site.h: put_site), and the drainer defines a function of the trace
// (catalog.go). This must not go wrong when memory is used again, so
//
//   - the number comes from the bytes, read at every call: an address never identifies a name;
//   - it is mixed with a secret of the recording, so that no program can choose names with the same
//     number;
//   - bytes that could not be sent do not count as sent, and are sent with the next call;
//   - only an entry sends a name, since the line of a return is not where the function begins.
//
// An event may be read before the bytes of its name, if they are in the ring of another CPU. It
// waits for them (heldvalues.go).
//
// # Deferred calls
//
// A condition on arguments is decided at the entry. The kernel remembers the kept calls by thread,
// stack pointer and function, and their returns look there. A condition on ret or duration,
// including Config.SlowerThan, is decided at the return (bpf/deferred.h). Then the kernel pairs all
// calls of the recording by the rules of the analyzer, and writes entries late. It counts the calls
// that it drops (dropped.go): how many there were, their sum, their total time, their self time,
// and the time inside kept calls. So the report can cover all calls.
//
// Note: the first design was one record for the whole call, at its return. It breaks the order of a
// thread's events, and so every flow. A late entry does not, if everything around it is written
// before anything inside it. Rows of the scheduler and hits of single instructions are written at
// once, when nothing knows whether the calls around them will be kept. So they are refused
// (plan.ErrLate).
package record
