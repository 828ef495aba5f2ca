// Package bpf has the programs that run in the kernel, and loads them.
//
// types.h is the contract: the records, the keys and values of maps, the cookie of a probe.
// contract_test.go compares it with the Go code, in the BTF of the compiled objects. maps.h has the
// maps. Every other header has the functions of one subject, and utrace.bpf.c includes them.
//
// # Events
//
// Two programs serve functions (function.h): one for probes on instructions, one for return probes.
// Both put one record of fixed size into memory of their CPU. They never wake the recorder: a
// wake-up costs 8 to 12 us, ten times the probe itself (Linux 6.18). The recorder empties that
// memory on a timer, and reads it in place.
//
// The memory is a lane (Lane): a part of an array that the recorder maps. A program takes a slot
// with one compare and swap. It writes the first field last: then the record is complete. Once the
// recorder has read a lane with at least 4,096 used slots, it begins the lane anew. That costs 165
// to 200 ns a call less than going around 8 MiB.
//
// The kernel's own ring buffer (Ring) takes two calls and a lock for the same. These were half of
// the cost of recording an empty program. So rings have only records of other sizes, events of Go
// code, and tasks. Records of one thread can be in several buffers: their times give their order.
//
// An event that finds no room is counted twice. The CPU counts it, with the time of the first and
// last loss, in memory that the recorder maps and resets (Losses). The function counts it as well.
//
// # Kernels
//
// The oldest kernel is Linux 5.15 (Floor). Other parts of the kernel are probed, whatever its
// version (Feature). They decide how programs are attached (Method): with uprobe_multi links, or
// with perf events, for which programs are loaded without an attach type. The programs filter
// processes in both cases. Findings checks all of this for utrace doctor.
//
// The probes use no kernel type but the registers, so they need no BTF of the running kernel. The
// programs for tasks and the scheduler read a few fields that the loader finds by BTF. They are
// left out if there is none.
//
// The objects for amd64 and arm64 are committed: building utrace needs no clang. go generate makes
// them again.
//
// # Sites
//
// Another program serves sites with arguments, results or conditions (site.h, Site): static probes
// and functions. What to read and to compare is data. The program is loaded only if there are such
// sites. Since Linux 6.0 it may sleep, and so bring a text into memory. Programs may interrupt each
// other on a CPU, so each takes a scratch of its own. An event without arguments goes into the
// lane, others go into the ring.
//
// A condition on arguments is decided at the entry. A session (Sessions, since Linux 6.13) is one
// program for entry and return that tells the kernel to leave the return alone: a dropped call then
// costs an entry, which is 0.6 times as much as both on a push and half as much on a nop of five
// bytes (empty programs). Other functions have two programs: where both entry and return are wanted,
// a session was 0.94 to 0.99 times as dear, which is within the noise.
//
// Loops over memory are functions that the verifier looks at once. They keep their state in memory,
// which the verifier does not follow. Otherwise it would have to follow more than a million
// instructions.
//
// # Deferred calls
//
// A condition may be decided at the return only (deferred.h). Then the record of the entry is
// written late. Two more programs end the calls of a thread that exits or executes another program
// (threadend.h). Such a call ends at that moment. It is kept if it was long enough, like a call
// that is open when the recording stops. Otherwise it is incomplete.
//
// The kernel does not report the end of a goroutine. One that ends with open calls leaves them:
// after runtime.Goexit, or a panic that is recovered outside these calls. Once 65,536 calls are
// left so, further calls are counted as lost.
//
// # Stacks
//
// A stack of callers is recorded once (stack.h). At an entry the return addresses are mixed into a
// number of 64 bits, which is the value of the event. If the number was not sent yet, the addresses
// go into the ring, ahead of the event. That costs 0.2 us, and 15 to 30 ns for each frame, measured
// in the program.
//
// Note: the kernel's map for stacks (BPF_MAP_TYPE_STACK_TRACE) has room for one stack in a bucket.
// If two fall into the same bucket, one is lost. The kernel's walk may leave out the direct caller
// of a function that is just entered: that depends on its version and on the instruction at the
// entry.
//
// # Samples
//
// A program at a timer of each CPU records where the interrupted thread is (sample.h). Its record
// is in the lane, and its stack is sent like those of entries, with the interrupted instruction as
// the innermost place. A thread in the kernel is where it entered the kernel: the registers of that
// moment are in the kernel's stack of the task. Only a kernel with BTF shows them
// (bpf_task_pt_regs). Without BTF such samples are counted, and left out.
//
// The timer is a perf event of the software clock, which needs no performance counter, so it also
// ticks in virtual machines. It belongs to a CPU: that of a process would have to be opened for each
// of its threads.
//
// # Limits, tasks and the scheduler
//
// With an overhead limit the programs also count hits by process and function. The recorder can
// make them record nothing more of a function (limit.h).
//
// Three programs watch fork, exec and exit (task.h). A child of a recorded process joins the set of
// recorded processes before it runs. It leaves the set when its last thread has exited. Their
// records have a ring of their own: no flood of events can leave them without room.
//
// With Options.Sched, two programs record when threads that have had an event leave a CPU, may run,
// and run (sched.h). Another one records for how long the recorder pre-empted a thread
// (displaced.h).
//
// The code in C is licensed under Apache-2.0 or GPL-2.0, at your choice.
package bpf
