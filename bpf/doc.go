// Package bpf holds the programs that run in the kernel, and loads them.
//
// event.h is the contract: the records, the maps, the cookie of a
// probe. utrace.bpf.c has two programs for functions, one for probes on instructions and one
// for returns that the kernel catches through its trampoline. Both put one
// fixed-size record into memory of the CPU that they run on and never wake
// anybody: measured on Linux 6.18, a wake-up costs 8 to 12 us, ten times
// the probe itself. The recorder empties it on a timer instead, reading in place.
//
// That memory is a lane (Lane): a part of an array that the recorder maps. A place in it is taken by one
// compare and swap, and the first field, written last, says that the record is complete. The recorder begins a lane anew
// when it has read all of it and a good deal is used: 165 to 200 ns a call less than going around 8 MiB.
// The kernel's own ring buffer (Ring) takes two calls and a lock for the same, which were half of what
// recording added to an empty program; it is left to records of other sizes: those of Go code,
// and of what happens to tasks. Records of one thread can be in several buffers; their times tell their order.
//
// An event that finds no room is counted, twice: per CPU, with the time of
// the first and the last, in memory that the recorder maps and takes from each time (Losses); and per
// function.
//
// The kernel floor is Linux 5.15 (Floor). What else a kernel has is probed, not
// told from its version (Feature), and decides how the programs are attached (Method):
// they are loaded for uprobe_multi links, or for perf events, which want no attach type. A process
// is filtered in the programs, whatever the way.
//
// A fourth program serves sites with arguments, static probes and functions (site.h, fetch.h, match.h, name.h, gate.h, follow.h, ended.h, Site): what to fetch
// and to compare is data. It is loaded only where there are such sites, and may sleep where the kernel has that (6.0): a
// text that is not in memory is brought in. Programs may interrupt each other on a CPU, so each takes a scratch of its own.
// What has no arguments to tell goes into the lane, the rest into the ring. Loops over memory are functions that the verifier looks at
// once, and keep their state in memory, of which it knows nothing: otherwise it follows more than a million instructions.
//
// Where calls are followed, two more programs end those of a thread that exits or executes another program: a call has lasted until
// then, is kept if that is long enough, as one that is open when the recording stops, and is incomplete otherwise. The kernel
// tells no end of a goroutine. One that ends with open calls (runtime.Goexit, or a panic that is recovered outside of
// them) leaves them, and when 65,536 are left so, further calls are counted as lost.
//
// Stacks of callers are recorded once each (stack.h): at an entry the return addresses are mixed into a number of 64 bits, which
// the event has as its value, and only with a number that has not been told the addresses go into the ring, ahead of it. The map
// of the kernel for stacks (BPF_MAP_TYPE_STACK_TRACE) has room for one stack a bucket: of two that fall into the same, one is
// lost. And the kernel's walk leaves out the direct caller of a function that is just entered, or does not, by the version
// of the kernel and the instruction at the entry. Measured in the program: 0.2 us, and 15 to 30 ns for each frame.
//
// With a limit of overhead the programs also count hits by process and function, and can
// be told to record nothing more of a function (limit.h).
//
// Three programs, at tracepoints of the scheduler, watch what processes do: fork, exec and
// exit. A child of a process that is followed joins the set of those recorded before it
// runs, and leaves it when its last thread has exited. Their records go into one ring of
// their own: a flood of events cannot displace them.
//
// Two more, loaded only for Options.Sched, tell when threads that have had an event leave a CPU, may run and run (sched.h).
//
// The objects for amd64 and arm64 are committed, so that building utrace needs
// no clang; go generate makes them again. The probes use no kernel type but the
// registers, and so need no BTF of the running kernel; the watchers of tasks and of the scheduler read a few fields that the
// loader finds by BTF, and are left out where there is none.
//
// The code in C is licensed under Apache-2.0 or GPL-2.0, at your choice.
package bpf
