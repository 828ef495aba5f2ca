// Package plan decides what a recording attaches: it resolves probes in the files of processes, and
// places them on instructions. It attaches nothing and runs nothing.
//
//  1. The files of the target are opened (scope.go). These are the files that a process maps, the
//     files that the dynamic linker would load for a command, or a file by its path.
//  2. Without any probe, utrace chooses (choice.go), see "Choosing".
//     Then missing debug files are downloaded, with Config.Debuginfod: until New returns, no process
//     is held (resolution.go: fetchDebug).
//  3. The functions and static probes of each file are matched (selection.go, usdtplan.go).
//  4. Each function is placed (placement.go): which instructions get a breakpoint, how its return
//     is seen, or why it is left out.
//  5. Arguments, results and conditions become a bpf.Site, which the programs in the kernel execute
//     (record/internal/values).
//
// A plan can be extended with the files that appear while recording.
//
// # Choosing
//
// Without any probe, utrace chooses (choice.go):
//
//   - for a machine the presets that fit the running processes, and the functions of busy programs;
//   - for an interpreter the preset of its language;
//   - for any other program all its functions.
//
// Nobody knows how hot these are, so an overhead limit bounds what they cost while recording
// (package record).
//
// Of a program with more functions than maxChosenFuncs, the most useful ones are chosen
// (selectedfunction.go, runtimefunction.go). With all of its 77,000 functions, the plan of Node.js
// takes 1.5 s of CPU time. With 10,000 it takes 0.5 s, and 0.3 s of that reads the file. A stripped
// cc1 with 39,000 functions takes 0.6 s, most of it for finding its functions in the unwind
// tables.
//
// A program is busy if its processes used more than 1% of a CPU in the second before the choice
// (busyprogram.go). The second costs a system call for each process at its beginning and end.
//
// Programs that become busy later are chosen when a process of theirs has been busy for two seconds
// (laterbusy.go). Most programs that end sooner are compilers and the commands of scripts: to read
// one costs more than it says. With a limit of 20 programs in all, each gets at most 1,500 functions.
//
// The functions of a busy program are probed in all processes that run it, idle ones included. It
// may fork workers later, and each process with links of its own makes every hit of the others
// dearer (package record). So the hazards are those of any process that runs the program. Redis is
// an exception: once it runs, it loads no more plugins, and its returns need no stepped instruction.
// So it is probed only in the processes that run, at a fifth of the cost.
//
// A busy program can also have a preset, as PostgreSQL has. Only an interpreter is left to its
// preset.
//
// # Returns without return probes
//
// A return probe of the kernel (uretprobe) replaces the return address by the address of its
// trampoline. Seen on Linux 6.18:
//
//   - A C++ exception that unwinds through such a frame ends the program ("terminate called"),
//     since no unwind table knows the trampoline.
//   - A thread that is cancelled below such a frame ends without the cleanup handlers and
//     destructors above it.
//   - A program that calls swapcontext between entry and return continues at a wrong address, since
//     the kernel keeps return addresses as one stack per thread.
//   - A signal handler may run on a stack above the stack of the function it interrupts. Then the
//     kernel forgets the function, which ends with SIGILL.
//
// Where one of these can happen, functions get probes on their return instructions instead. These
// change nothing in the program. But the kernel must step over each, which costs 10 us in a virtual
// machine and 1 us on metal, where a uretprobe costs 0.5 us. Data that look like a return
// instruction are not probed: control must reach the instruction (elffile.Exits).
//
// # Hazards
//
// Whether that can happen is a property of the process, not of a file (processhazard.go): a library
// in C++ throws through a program in C. All files of the process count, mapped, needed or
// preloaded. The only exceptions are the C library, and libcrypto's asynchronous jobs. If the
// process is not known (a library in every process, or with Config.Follow), the worst is assumed.
//
// It is also assumed if a file of the process imports dlopen, since a library loaded later can do
// all of that: perl, bash, PHP. Three kinds of files are excepted:
//
//   - libraries whose plugins do none of it (loadsHarmless);
//   - a running Redis 7, which loads modules only when it starts;
//   - the C library itself, whose plugins are for names and character sets.
//
// Code that switches stacks may have any name, so it is searched for in all files. Leaf functions
// keep the cheap return probe in a process without signal handlers: nothing unwinds or switches
// below them. Go programs get return instructions for all functions: the runtime moves stacks at
// any time.
//
// In a stripped file the functions that must not get a return probe (setjmp, swapcontext) have no
// names. There, functions without a name get return instructions in two cases: the file may contain
// a C library, or it has code that loads the stack pointer like a switch of stacks.
//
// longjmp is harmless: the kernel drops the frames that it has left. So is code in a language
// without exceptions that calls back into one with exceptions, except if an exception passes
// through it. The C library has functions that call back: qsort, pthread_once and the like, and
// perhaps any local function. These get return instructions in programs that can throw or switch
// stacks. All functions of the C library get them in a program that
//
//   - hooks into streams, printf or argp;
//   - may cancel threads, which unwind from where they wait;
//   - switches stacks and has signal handlers, which may switch them.
//
// Note: the lists of names in functionname.go are part of the safety of the tool. Some code has no
// return address to find, and gets no probe:
//
//   - the cold parts of functions, which are jumped into;
//   - the entry point, and signal trampolines;
//   - functions with a loop back to their first instruction.
//
// The kernel puts no breakpoint into shared or writable code, and reports no error
// (writablecode.go). Such code is left out: by the segments of a file for all processes, and by the
// mappings of a running process for that process.
//
// # Filters of system calls
//
// From Linux 6.11 on, the trampoline of a return probe makes a system call on x86-64, which filters
// (seccomp) could refuse: such programs died, for example in containers and in services of systemd
// (systemd issue 34615). Linux 6.14 lets the call pass, and so do stable kernels. On other kernels
// (bpf.FilteredReturns) every return is seen by its instructions, since any program may install a
// filter.
//
// # Placement on arm64
//
// A function is probed at its first instruction. The kernel steps over most of them: it simulates
// only branches, returns and adr (record/internal/insn/classarm64.go). So probing a return
// instruction is cheap. The return address is in a register, which a return probe replaces before
// the function saves or signs it. Functions of Go are probed after the check of their stack, as on
// x86-64.
//
// Instructions that the kernel refuses are left out: exclusive accesses, memory copies, and returns
// that check a signature (retaa, in code built for ARMv8.3). Where a return probe would be
// dangerous, a function with such a return has only its entry recorded. Loads relative to the
// program counter are also left out. The kernel executes loads of vector registers from a copy,
// where their data is missing. It executed loads of other registers wrongly before Linux 6.12,
// which refuses them.
//
// Tried only in an emulated machine (make test-kernels), with Linux 6.1 and 6.12: the recorded
// events are right; the cost on metal is unknown. record.TypicalCosts are those of x86-64.
//
// # Static probes
//
// The notes of static probes (USDT) say where each probe and its arguments are (elffile.USDTProbe).
// A selected probe becomes a function of the plan (usdtplan.go): a hit, or a span if another probe
// ends it. Each of its locations must be a nop (usdtplan.go). It becomes a site of its own
// (bpf.Site), with the operands of that location. Fetching them, deciding on a condition and
// sending a name are data for one program.
//
// The operands of a note have a size and a sign, and no type. For `(...)`, texts are known only for
// providers whose declarations utrace has (probe.StaticSignature). Whether a number is the address
// of a text cannot be told from the number.
//
// A span that begins and ends in the same functions of the file is paired by the stack pointer,
// like a call (usdtspan.go). If an error jumps over its end, the next span does not become a part
// of it. Other spans have no stack pointer, and nest by their names. With a condition the kernel
// remembers which spans were kept, so that their ends are kept as well. It identifies a span
//
//   - by the stack pointer, or by the argument that identifies spans;
//   - without both, by its position among the open spans of the thread. Those deeper than 2,048 are
//     dropped.
//
// Programs can make and load objects while they run (libstapsdt), and mostly unlink them at once.
// These are found in the mappings, which are searched every 50 ms while a probe matches nothing
// yet.
//
// # Arguments and results of functions
//
// The values of a probe are looked up for each function that it matches (record/internal/values).
// The debug information has their types. Their locations at the chosen site come from location
// lists or the calling convention (dwarf.Signature). Without debug information, arguments are
// counted by the calling convention alone. A site with arguments precedes any instruction that
// overwrites an argument register (entrysite.go). The result is a bpf.Site for the entry and one
// for the return: data, as for static probes.
//
// # Runtimes of languages
//
// The arguments of an interpreter's probes depend on how it was built and started. A file for each
// language (java.go, php.go, postgres.go, python.go, ruby.go) finds that out from exported symbols,
// and from the memory of the process (processmemory.go). It relies on these facts, with the
// versions that were tried:
//
//   - CPython 3.11.2 fires function probes only on its tracing path. Raising the semaphore of the
//     probe "line" enables that path (python.go: raised). Python calls Python in one frame of C, so
//     the stack pointer says nothing. Entries and returns are complete and nest, also for
//     generators, exceptions and several interpreters in one process, but not for greenlets.
//   - PHP 8.2 checks USE_ZEND_DTRACE when it starts. php-fpm overwrites the environment that others
//     see, so zend_dtrace_enabled is read.
//   - HotSpot 17 and 25: the flag DTraceMethodProbes is found through the tables for debuggers
//     (gHotSpotVMStructs). Strings have a length and no end. The launcher loads libjvm.so with
//     dlopen, so the library is planned before that (startupLibraries).
//   - Ruby 3.1 hits the probes of methods while ruby_vm_event_flags has the bits of calls and
//     returns. Probes of its methods in C are forbidden (whyForbidden).
//   - PostgreSQL 15 hits query__execute__start twice for statements that change data: only the one
//     in PortalRun counts. The end of a query that fails is jumped over, so both ends of a span are
//     paired by the stack pointer (endsWhereItBegins).
package plan
