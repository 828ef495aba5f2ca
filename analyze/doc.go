// Package analyze turns traces into reports, call flows, call trees and profiles. Package compare
// compares traces, package why explains slow calls, and package render writes all results.
//
// # Pipeline
//
//  1. source reads batches in the order of the file. Several goroutines decode them. Then, in order
//     again, source applies definitions and checks events against them.
//  2. Still in order, exposure and handoffs compare the threads of a batch: what others spent in
//     probes, and what of that a thread has waited for.
//  3. Each batch is sorted by thread. shard hands every thread's rows to one of a few goroutines,
//     always the same one.
//  4. pairer keeps a stack of open calls per thread, and pairs returns with entries. It reports the
//     beginning and the end of each call to a view.
//  5. The views sum up, one per goroutine: latency per function, sliced per function and time,
//     callPaths per path of calls. Flow has a single view, and merges the threads by time ahead of
//     it.
//  6. The parts are merged, also those of several traces, and sorted by the figures they show. So
//     the same traces give the same output on every machine.
//
// Each view is a pass of its own over the trace: decoding is cheap compared with what a shared pass
// would have to keep. Memory grows with threads, the depth of their stacks, functions and call
// paths, never with events. In reports by value it also grows with values, up to a limit.
//
// # Views
//
// A view reads the values of an event only to show them, to decide whether a call has failed
// (errorCheck), or to find its group (grouping). A report by value takes one goroutine. So if there
// are too many values, the ones that are kept are the same on every machine.
//
// In a trace with stacks, call paths also have functions that were not traced (callPaths.callers).
// An outermost call gets the whole stack around its entry. Another call gets the functions between
// it and the traced call around it. A view takes the number of a stack while it reads events. It
// looks up the stack once all definitions are known.
//
// With Options.Min, a flow holds steps back until it is known which calls are long enough. It holds
// up to 65,536 steps, with 256 MiB of values. A heatmap does not know how long the trace is: it
// halves its resolution whenever it runs out of slices.
//
// The slowest calls take two passes. The first finds them, the second collects the flows below
// them.
//
// A Digest has a report, a tree, heatmaps and the slowest calls of each function, for a page. It
// takes one pass: of a large trace, each pass takes seconds. digestView passes what happens on to the
// views of all these. callLog finds the slowest calls with what is inside them: each open call keeps
// the 50 longest calls and waits inside it. When it ends, the call around it takes them over. The 50
// longest of a call are among the 50 longest of each of its callees, so none is missed. argValues
// counts calls by the values of their arguments.
//
// EachCall reads a trace on one goroutine, thread by thread within a batch. That gives the same
// order everywhere. It needs no more memory than a report, except for the arguments of open calls
// and 64 MiB of call paths (callerPaths).
//
// Only complete calls have durations. A call whose return was not seen is counted. The time of
// complete calls inside it does not count as its caller's own.
//
// # Surveys
//
// With an overhead limit, functions are probed in windows. Their definitions come after the events
// that they cover, so a first pass reads all definitions. Package windows makes the windows of each
// function from these, and package estimate has the statistics.
//
// A call is over when its function's windows end without another one that follows at once. If its
// return was not seen by then, the call is cut: it lasted longer than that. Each call has a place
// (windows.Place). Calls that are no fair sample count as recorded, and in no other figure.
//
// A report estimates the figures of each function from its fair calls (sample):
//
//	calls    those in windows, times all processor time over that in the windows
//	total    the same times the mean of the curve of Kaplan and Meier; of a recursive function, times
//	         the outermost calls' part of the time of the complete calls
//	errors   those in windows, scaled like the calls
//	self     of a function with windows: its total time, times the self times' part of the durations
//	         of complete calls in whole windows; of one that was probed all the time: its durations,
//	         less those of callees
//
// Whole windows are those in which all functions of a module were probed. A callee with windows
// counts there only, for as many calls as it stands for. Without whole windows, self time contains
// such callees, and is an upper bound. The simpler way for functions with windows would be to
// subtract the estimate of all callees as well. It was rejected: callees of calls that had begun
// before a window are missing, and the difference of two estimates has the errors of both.
//
// The mean counts calls that outlast all others with the longest time seen. If that is more than 5%
// of the mean, mean and total are lower bounds. A quantile is one if the curve does not come down to
// it. Quantiles of several traces are of their recorded calls together, whatever these stand for.
// Recursion that began before a window is not seen: its calls count as outermost.
//
// Trees, profiles and flame graphs need callers. A call of a function with windows counts if it is
// in a whole window, for as many as it stands for. Flows, slowest calls, heatmaps and histograms
// have the recorded calls. An export gives each call its weight.
//
// # Cost of probes
//
// A traced program spends time in the probes, which makes all calls around a hit longer. The
// recorder measures the cost of hits, by the class of their sites (format.SiteCost). The pairer
// subtracts it from each call:
//
//	own cost    the part of the call's own hits inside the measured duration: what the entry's hit
//	            takes after its timestamp, and the return's hit before its own
//	inner cost  the cost of all hits inside: entry and return of each complete call, the entry of a
//	            call whose return was not seen, a return whose entry was not seen, and hits of points;
//	            also of displacements, when the recorder pre-empted the thread: the time in the trace
//	            (format.Displaced), and the calibrated cost of the interrupt before and two switches;
//	            also of waits for the probes of other threads, see below
//	duration    as measured, less own and inner cost, but not less than its complete callees
//
// Self time is the duration without the complete callees, and never negative. So on each thread,
// the self times of all calls add up to the outermost complete calls as measured, less what was
// subtracted from them. This is exact to the nanosecond. A cost for which a short call has no room
// is subtracted from the calls around it, if they have room. FuzzPairing checks this against a
// model. With Options.Raw, nothing is subtracted.
//
// A cost is the lower quartile of the latest five calibrations before a batch. The recorder makes
// five when it begins, and then two a second. When one differs from the one before by a quarter, it
// makes five in a row. So a second after a machine has become slower, the cost is right again.
// Inner cost also has a part for interrupts, which the same calibrations measure: the more time a
// program spends in probes, the more interrupts fall into them. A call's own cost has no such part,
// since most calls have no interrupt.
//
// After a tail call, one instruction returns from several calls, and the kernel handles their
// return probes in one trap. There, a return costs the time up to the next one instead
// (pairer.returning). All hits of a thread cost at most the time from its first event to its last.
//
// A function is marked with ~ if it is too short for its probes. Then the median of its calls is
// less than a quarter of the cost subtracted from one call, or less than the scatter of the
// calibrations.
//
// # Known errors of the cost
//
//   - Hits in a row, in a small program, cost less than hits between which a program uses the
//     caches. Also, the processor executes a part of the code after a short probe at the same time.
//     In the measurements both were within 10% of the cost of a hit. A caller of many functions is
//     wrong by that part of all hits inside it.
//   - The part for interrupts comes from few interrupts. If other programs want the processor, the
//     time they take passes in the call and belongs there. In a virtual machine with two processors
//     and twenty threads that wanted them, averages were useless, while medians were right.
//   - At a function's first call in a process, the kernel may rewrite a nop of five bytes into a
//     call (40 to 120 us). That time counts for the call, and for other threads that wait for it.
//   - A thread that is woken up while the recorder runs on its processor waits. That time is
//     unknown, but short. The recorder's own time is also unknown if calls are deferred (a minimum
//     duration).
//   - Text arguments are assumed to be as long as the calibration's.
//   - The two hits in Go's runtime with which goroutines hand over are not subtracted.
//
// Some costs are unknown, and not subtracted:
//
//   - fetching the arguments and results of functions, in addition to a plain hit
//   - walking the stack of callers
//   - keeping a deferred call until its return
//   - hits that were lost
//   - hits that a condition has dropped; the report says about how much they cost
//   - sites of classes that are not calibrated: static probes (USDT) on an instruction that is not
//     emulated
//
// # Waits for other threads
//
// A call that waits for another thread also waits for that thread's probes. Let D(t) be the delay
// of a thread: by how much probes have put it behind, up to the time t. A hit adds its cost to D.
// If thread A is blocked from s to w, and thread B wakes it up, A would have been woken up earlier
// by what B lost in the meantime:
//
//	D(A, w) - D(A, s) = min(D(B, w) - D(B, s), w - s)
//
// That is the cost of the wait, and is subtracted like a hit. The rule is transitive, because D(B)
// contains B's own waits: if C woke up B, the hits of C count. It is the cost of all hits on the
// path of wakeups that ends the wait, back to its beginning. A wait never becomes longer, or
// negative.
//
// The same holds for a thread that could run, and gets its processor from B, if B made way by what
// it did: it blocked, or had just woken up a thread (within 20 us). Kernels often put a thread that
// is woken up on the processor of its waker. Otherwise the time from the wakeup until the thread
// runs is not changed: the end of a time slice does not depend on probes.
//
// This needs the rows of the scheduler (format.Wakeup has the waker): locks, condition variables,
// pipes, sockets, epoll, also between processes. A packet over the loopback network is delivered by
// an interrupt, but inside the sender's system call (format.WakeupSent). Of goroutines, the rows
// are about what they wait for from each other.
//
// It is a virtual speedup as in Coz (Curtsinger and Berger, SOSP 2015), of the probes and after the
// fact. Coz delays all other threads, and credits a thread that is woken up with the delays of its
// waker. The order of events is that of Lamport's happened-before relation (CACM 1978): only
// wakeups order the events of two threads. Some things cannot be recovered:
//
//   - A different order. Without probes another thread might have got the lock first, or nobody
//     might have waited. The recorded order is kept, and a wait can only become shorter.
//   - Waits that probes have hidden. If A is late because of its own probes, it waits less. Without
//     probes it would wait longer, until B is ready. Then too much is subtracted from the call, at
//     most A's own cost since it gave B the work. The same holds for sleeps until a certain time.
//   - Waits without a wakeup: spinning, and polling with a timeout.
//   - Wakers that are not in the trace: a program that is not recorded, a kernel thread, the
//     network. What they have waited for is not known.
//
// In the last case, and without rows of the scheduler, the cost cannot be subtracted. Instead,
// exposure adds up what other threads spent in probes while the call may have waited: it was
// blocked and not woken up by a thread of the trace or, where that is unknown, nothing of it
// happened for 10 us. If that comes to 5% of a function's time, the function is marked with ~. A
// call does not count while it sleeps for a time (format.WakeupSlept), or in an uninterruptible
// wait that an interrupt ends, which is for a device.
//
// Without rows of the scheduler, a function is also marked if it only computes, or sleeps, while
// other threads have hits. No criterion was found that tells these cases apart in such a trace. A
// thread that waits for a lock sees as many hits of others as one that computes beside them, and
// the processor of an event does not say whether the thread kept it.
//
// handoffs keeps D for each thread as points over time (delayHistory). It drops old points, so that
// memory does not grow with events: D at the beginning of a wait is exact within 1/50 of the wait,
// or within the cost of two hits.
//
// # Measured error of the cost
//
// BenchmarkCompensation has functions that compute for 1 to 1000 us (own), and call others that
// compute for 1 us. The table has means in us. The truth is by the program's own clock, without
// probes. The machine was a virtual one with two processors, and nothing else ran on it. The column
// two is the ratio with two threads: then no processor is left for the recorder.
//
//	            nop5                                  emulated                              stepped
//	own calls   truth     raw    corr. ratio two     truth     raw    corr. ratio two     truth     raw    corr. ratio two
//	   1    0     1.01    1.57    1.02 1.01  1.03      1.01    1.68    1.03 1.02  0.96      1.00   11.02    1.32 1.31~ 1.92~
//	   1    1     2.02    3.88    2.02 1.00  1.02      2.02    4.17    1.83 0.90  1.05      2.02   22.77    3.17 1.57~ 1.14~
//	   1   10    11.00   24.86   10.63 0.97  1.03     11.01   26.78   10.45 0.95  1.02     11.07  123.47   10.79 0.97~ 1.71~
//	   1  100   101.14  232.46  103.91 1.03  1.06    101.39  253.34  104.66 1.03  1.06    101.63 1138.40  107.07 1.05~ 1.72~
//	   3    0     3.04    3.58    3.03 1.00  1.01      3.02    3.69    3.05 1.01  1.02      3.04   12.66    3.38 1.11  1.18
//	   3    1     4.03    5.93    4.04 1.00  1.04      4.04    6.17    3.74 0.93  1.01      4.03   23.38    3.86 0.96~ 1.24~
//	   3   10    13.06   26.70   12.47 0.96  1.01     13.00   29.73   12.08 0.93  0.97     13.17  142.47   28.96 2.20~ 1.44~
//	   3  100   102.86  236.97  104.62 1.02  1.07    102.93  254.07  102.47 1.00  1.03    104.13 1167.78  127.88 1.23~ 1.50~
//	  10    0    10.08   10.71   10.14 1.01  1.01     10.09   10.77   10.09 1.00  1.01     10.21   19.50   10.32 1.01  1.05
//	  10    1    11.12   13.03   11.08 1.00  1.04     11.09   13.30   10.98 0.99  0.99     11.14   30.39   10.62 0.95  1.03
//	  10   10    20.09   33.83   19.29 0.96  1.01     20.20   36.08   18.71 0.93  0.97     20.29  134.88   19.93 0.98~ 1.51~
//	  10  100   110.40  241.24  103.22 0.93  1.03    110.18  261.54  103.30 0.94  1.06    112.26 1191.36  132.75 1.18~ 1.58~
//	 100    0   100.94  101.95  101.41 1.00  1.01    100.80  102.25  101.57 1.01  0.98    101.93  110.96  101.78 1.00  1.03
//	 100    1   101.91  104.43  102.44 1.01  1.01    101.90  104.46  102.14 1.00  1.00    102.76  122.56  102.83 1.00  1.04
//	 100   10   110.98  125.24  110.74 1.00  1.03    111.16  126.67  109.20 0.98  1.01    111.67  228.99  116.60 1.04  1.11
//	 100  100   200.94  334.01  193.70 0.96  1.04    202.75  352.89  184.55 0.91  0.98    202.56 1253.43  205.42 1.01~ 1.47~
//	1000    0  1012.20 1013.71 1013.14 1.00  1.01   1010.06 1009.65 1009.00 1.00  1.01   1016.30 1021.78 1012.55 1.00  1.02
//	1000    1  1010.53 1017.69 1015.88 1.01  1.00   1020.76 1015.65 1013.53 0.99  1.00   1021.17 1034.10 1014.34 0.99  1.01
//	1000   10  1020.99 1042.73 1028.16 1.01  0.98   1018.73 1037.47 1022.01 1.00  1.00   1027.63 1145.64 1032.58 1.00  1.01
//	1000  100  1114.31 1246.14 1112.88 1.00  1.00   1109.63 1265.30 1101.54 0.99  1.00   1110.92 2176.55 1095.67 0.99  1.10
//
// A hit took 0.65, 0.75 and 5.2 us. All figures without a mark are within 15% of the truth, with
// one exception: 3 us at stepped sites with two threads, which is less than one hit. All their
// medians are within 15% except one (0.81). Without subtracting displacements, 28 of 50 figures
// were within 15% with two threads. On a machine with other work, fewer are: see above.
//
// Two other shapes, measured later with other work on the machine (one thread). Recursion: the
// function calls one that computes for 1 us and calls itself, so deep. Tiny: it calls two functions in
// turns, so often together, and both call a third one that does nothing.
//
//	                       nop5                           emulated
//	own  calls             truth     raw    corr. ratio   truth     raw    corr. ratio
//	 10    10  recursion   20.09   33.86   19.60 0.98     20.03   32.71   16.70 0.83
//	 10   100  recursion  110.96  230.58  116.69 1.05    110.51  251.11  109.80 0.99
//	100   100  recursion  201.10  322.05  208.51 1.04    200.91  340.85  201.37 1.00
//	 10    10  tiny        10.15   37.38    9.55 0.94     10.09   37.78    6.09 0.60~
//	 10   100  tiny        10.59  277.36    8.59 0.81~    10.61  285.51    3.83 0.36~
//	100   100  tiny       101.11  367.99   95.60 0.95    100.98  382.55   65.31 0.65~
//
// Hits in a row that nothing separates cost less than those of the calibration. So too much is
// subtracted from callers of tiny functions, and the report marks them.
//
// BenchmarkHandoffs has requests that wait for another thread, process or goroutine, which makes
// 200 calls of 2.4 us before it answers (chain: by way of a third thread with 40 more). In none,
// the request makes these calls itself. The clients of the server ask again as soon as they have an
// answer, so that requests wait in a queue. Times are in us, of the request, recorded with --sched.
// The machine had other work; the programs had a real-time priority. In Go every return is stepped.
//
//	                    mean: truth   raw  corr. ratio   median: truth   raw  corr. ratio
//	none                        522   842    521  1.00             488   823    498  1.02
//	condition variable          542   897    565  1.04             530   889    561  1.06
//	mutex                       542   856    529  0.98             520   848    518  1.00
//	pipe, two processes         549   903    570  1.04             541   889    553  1.02
//	pair of sockets             566   901    578  1.02             548   889    569  1.04
//	TCP, two processes          579   912    583  1.01             551   897    578  1.05
//	epoll                       546   890    563  1.03             543   881    553  1.02
//	chain of pipes              677  1078    693  1.02             664  1073    684  1.03
//	server, 1 client            555   921    589  1.06             547   905    578  1.06
//	server, 4 clients          1997  3347   2055  1.03            2008  3359   2056  1.02
//	server, 16 clients         7934 13046   7948  1.00            8151 13435   8225  1.01
//	Go: none                    518  2819    662  1.28             486  2638    502  1.03
//	Go: channel                 505  2735    619  1.22             495  2671    545  1.10
//	Go: sync.Cond               508  2750    619  1.22             495  2671    553  1.12
//	Go: sync.WaitGroup          503  2706    584  1.16             496  2671    537  1.08
//
// Go's means contain what interrupts steps, also where nothing waits. Without --sched, the report
// marks all requests except those of none.
//
// # Lost events
//
// A loss of events is known by CPU, between two moments, and a thread may have run on any CPU. A
// call is uncertain if it began before the end of a loss and ended after its beginning. The matched
// return may belong to a later call, if a return and an entry were lost in between. Its duration is
// in total and self time, so that these still add up, but in no distribution. The report lists such
// calls by function and thread, and the times of the losses.
//
// # Running and waiting
//
// If the scheduler was recorded, sched divides a thread's time from one of its rows to the next: on
// a processor, runnable, blocked, or unknown, as around lost switches. Each frame remembers the
// sums at its beginning, so the waits of a call are a difference. Recursion and self times work as
// for the time itself. The rest of the duration was spent on a processor. A sleep is blocked until
// the wakeup, and runnable from then on until the thread runs.
//
// Goroutines, and spans that may overlap, are not threads: their waits are unknown. A report may
// have traces with a scheduler and traces without: the waits of calls in the latter are unknown.
//
// # Compared calls
//
// CompareCalls divides the calls of a function into slow and typical ones, for package why. Its two
// passes over a trace are:
//
//  1. tails: the durations of the function's calls, which give the limits of both classes, and the
//     slowest calls.
//  2. comparedCalls: for each call, its self times and waits by path. They go to the sums of its
//     class (PathSums) when it ends. A uniform sample of each class, and of all calls, keeps single
//     calls with their values (callSample). The flows below the slowest calls become the examples.
//
// Samples are the calls with the smallest hashes of their places in the trace. So they are the same
// for any number of goroutines, and so are sums, which are of integers. Memory is limited by the
// number of paths (64 Ki), sampled calls (1,500 a class and goroutine), and periods (64 Ki).
//
// # Untrusted traces
//
// Traces come from anywhere. All text in them is made printable when it is read. There are limits
// on what a trace may define, nest or branch. A warning says when a limit was reached.
//
// # Damaged traces
//
// A batch that cannot be read is skipped (gap). The next one is found by its header, so a trace may
// lack bytes, or have others. A warning says which bytes are damaged, and after which time events
// are missing. All calls that are open there are unwound. A function or thread whose definition was
// lost has its number for a name; if all were lost, nothing is read.
//
// Times are differences, so all times after a gap are too early, by the time of the missing events.
// Durations are right: no call goes across a gap.
//
// # Speed
//
// Note: these are figures of an AMD EPYC virtual machine with two processors. Other programs kept it
// busy. BenchmarkReport has 300 functions and 3 bytes an event. There the report takes 64 ns of
// processor time per event with 8 threads, and 54 ns with one. It takes 48 ns for a recorded program
// of 11 functions. It uses both processors. More than half of the time is pairing, a third is zstd.
//
// zstd -t of the columns takes a quarter of that time (BenchmarkLimits), copying them 1 ns. A
// billion events took 67 ns each, in 41 MiB (BenchmarkRepeated). Subtracting the cost of probes
// makes no measurable difference.
//
// Tried for pairing, without effect: the counters of a function in one cache line, and 32 instead of
// 14 durations that go into buckets together.
//
// A flow takes 154 ns per event (braces) or 144 ns (arrows) for that program. One goroutine finds
// the steps, another one writes them.
//
// Waits for other threads cost nothing measurable in a trace without rows of the scheduler. With
// them, they take 15 to 20 ns more per event, on the goroutine that reads the batches in order.
//
// A comparison of calls (BenchmarkCompareCalls) takes 1.5 times the processor time of a report, for
// both of its passes: 109 ns an event for 100 M events, where a report took 72 ns, since other
// programs kept the machine busy. It had up to 140 MiB.
//
// A digest (BenchmarkDigest) takes 1.7 to 2 times the processor time of a report. Of 100 M events,
// the report took 69 to 75 ns an event, and the page 118 to 141 ns, in up to 350 MiB. Other programs
// kept the machine busy. The trace is a bad case, since nearly each of its call paths is new.
//
// zstd spends most of its time on the noise of times. Durations go into the buckets of their
// histograms fourteen at a time, since each is a cache miss. Counting in 32 bits instead of 64 made
// no difference.
package analyze
