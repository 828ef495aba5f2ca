// Package survey decides when functions are probed, so that the probes of a process stay within an
// overhead limit.
//
// Nobody knows in advance how hot a function is, and attaching all functions of a busy program at
// once stops it. So Config.Limit is a budget, and a survey spends it:
//
//  1. Each process has an account (account.go). It is credited with the limit's share of the CPU
//     time that the process uses, and charged with the cost of its hits, which the BPF programs add
//     up by process (bpf/limit.h). The cost of attaching is estimated.
//  2. Functions are attached and removed in sets (set.go). A flag turns the functions of a set
//     on once all its breakpoints are there, and off before they are removed: so the set has one
//     window, in all threads.
//  3. Functions that are not known yet are scanned, in sets that grow while little is called
//     (module.go). A scan ends when it has cost 1 ms, or after 30 ms.
//  4. Functions that cost little stay on until the end, most of them from the first second. If they
//     become more expensive, the costliest get windows instead. If there is room, the cheapest of
//     the others stay on.
//  5. Hot functions get windows at random times. Windows with a few functions measure their
//     durations, because these disturb each other little. Windows with all hot functions show who
//     calls whom, and nothing else. They wait until all can be attached.
//
// The trace has each window (format.Window). Calls that begin in it are a fair sample. How many
// there were in all is an estimate by work, not by time, since the probes slow down a busy program in
// the windows. Work is either the CPU time that is left to the program, or how often it reads, writes,
// sends and receives, whichever its functions follow more closely (iomeasure.go).
//
// Windows with a few functions last as long as was planned. If the cost of their calls ended them,
// they would end in bursts, and see too many. A window waits for calls that are still open, while
// that costs little. The calls that begin meanwhile do not count, since the end of such a window
// depends on them.
//
// Small programs are attached as a whole when the recording begins, also commands with up to 2,000
// breakpoints. A command may cost 100 ms beyond the limit, so that a short one is recorded from its
// first to its last instruction.
//
// A raised semaphore causes no hits, but CPython then interprets up to 4 times as slowly. It is
// charged with 30% of the CPU time, so functions of Python are probed in windows.
//
// bpf.Perf takes up to 125 ms to detach each probe. There, all functions are on from the beginning,
// and those that cost too much are removed for good.
//
// The costs of hits are those of the calibrator, which measures them again twice a second: hits may
// become dearer when the machine gets other work. A program may pay more, as the kernel's code
// displaces its own from caches. Of servers a survey measures how much more (slowdown.go): by how
// much the CPU time for each read or write grows in windows. All charges are multiplied by that.
//
// Note: closing a link returns only after several grace periods, 5 to 60 ms. Its breakpoints are
// removed in the first milliseconds. A function is attached again only once its former link is
// closed, since both links would record its calls.
package survey
