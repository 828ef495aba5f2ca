// Package format defines the trace file: a recorder writes it, an analyzer reads it, and this is
// all that the two share.
//
// # The file
//
// A trace is an Apache Arrow IPC file. Its buffers are compressed with zstd. All its batches have
// one schema. Only the columns info and args have nulls:
//
//	delta_ns     uint32  nanoseconds since the previous row of the same thread
//	thread       uint32  number of the thread
//	func         uint32  number of the function
//	kind         uint8   kind of the row, see Kind
//	cpu          uint16  number of the processor
//	stack_bytes  uint32  distance of the stack pointer from the thread's stack base
//	value        uint64  a return value, a stack base, or the stack of an entry or a sample
//	info         utf8    JSON of a definition
//	args         utf8    JSON array of the values of an event
//
// A batch holds either events or definitions. The rows of events are sorted by thread, and by time
// within each thread. The batches follow each other in time.
//
// Kinds of rows. Those below 16 belong to a thread:
//
//	0   Entry          a function is entered
//	1   Return         it returns; value is the return value
//	2   TailEntry      entered by a tail call: the caller's frame is gone, its return is still to
//	                   come, at the same stack pointer
//	3   Hit            a probe without a return is executed
//	4   Pause          only time passes
//	5   StackBase      value is the stack base from here on
//	6   SchedOut       the thread leaves its processor
//	7   SchedIn        it runs again
//	8   Wakeup         it may run again
//	9   DroppedReturn  the return of a call that did not meet a condition, see Dropped
//	10  Displaced      the recorder pre-empted the thread, for value ns up to here
//	11  Exit           the thread ends; value is 1 if its process executes another program
//	12  Sample         the thread was running when a clock ticked; value is its stack
//
// From 16 on they are definitions. info has the JSON of the struct of that name:
//
//	16 Module   17 Func     18 Process      19 Thread   20 Loss    21 LeftOut
//	22 End      24 Calibration  25 Dropped  26 Stack
//	27 ProbeSet 28 Window   29 Survey
//
// Time. The time of a row, in nanoseconds since the start of the recording, is the running sum of
// delta_ns over all rows of its thread. One delta holds at most 4.29 s: Pauses bridge longer gaps.
//
// Stack. A StackBase has in value the base of the thread's following rows: stack pointer = base -
// stack_bytes. A thread that changes to a stack elsewhere gets a new base. 0 bytes means unknown.
// The stack pointer is that at the function's entry. A return's is adjusted: a call has the same
// one at its entry and its return.
//
// The scheduler. With Meta.Sched, rows of the kinds 6, 7 and 8 follow threads that have had an
// event. From 6 to 8 a thread is blocked if the value of 6, its state, is not 0. After that, up to
// 7, it waits for a processor. Rows of the kind 10 need no Meta.Sched: they say for how long the
// recorder kept a thread or goroutine from running. All these rows have func 0 and do not count as
// events. The value of 8 is the waker: its thread ID, and the constants WakeupInInterrupt,
// WakeupSent, WakeupSlept and WakeupGoroutine.
//
// The kernel's scheduler does not know goroutines. Those of Go's runtime have kind 6 when they
// park, and kind 8 when another goroutine, or the runtime, makes them ready; older traces have
// neither. They have no kind 7: they run again with their next row. Goroutines that wait for the
// network have no kind 8. Threads with a track have only kind 10.
//
// Ends of threads. An Exit ends the calls that are open in its thread; it has func 0 and does not
// count as an event. When a process executes another program, all its threads end, with value 1.
// One of them, if possible the one that did it, has in args the name of the new program: ["ls"]. A
// goroutine may have rows after its Exit, if the new program soon has a goroutine with the same
// number.
//
// Samples. With Meta.SampleHz, the clock of each processor ticks that often, and a Sample is where
// the recorded thread was that it interrupted: its value is a Stack, 0 if that is unknown. All
// samples together are a fair picture of where the processes spent processor time, probed or not. A
// thread that was in the kernel is in the function that made the system call. A Sample has func 0
// and does not count as an event. Samples are of threads, even if the thread runs a goroutine.
//
// Definitions. A Thread or Func defines a number in the columns thread or func, in an earlier
// batch. The number is in that column and in value. Modules and Stacks have their number in value
// alone. A function belongs to a Module. A thread belongs to the last Process defined before it
// with its PID. A Process may say where it runs: its control group, and the unit of systemd, the
// container and the pod that this group belongs to. An End is the last row of a complete trace.
//
// Calls that are not kept. A condition that is decided at the return (duration > 1ms,
// Meta.SlowerThanNs) drops calls and keeps their counters. A Dropped has the counters of a function
// in a process. Of several for the same function and process the last counts. A dropped call has no
// rows, unless a kept call lies inside it. Then its entry is there, and its return is a
// DroppedReturn, with the time and stack pointer of a Return. Dropped counts such a call as well.
// total_ns excludes calls inside another call of the same function. self_ns excludes the probed
// calls inside. inside_ns is the time of dropped calls made directly by the function's kept calls:
// it has no rows, and is not their self time. Calls whose arguments do not meet a condition are
// counted in the End, as hits by function.
//
// Cost. A Calibration has the cost of hits for each class of sites, measured when it was made. The
// classes of a Func's sites are its entry_class and return_class. It applies to the batches of
// events after it.
//
// Surveys. With an overhead limit (Meta.MaxOverheadPercent) most functions are probed only at times.
// A Window says when the functions of a ProbeSet were: a call is in the file if it begins in a
// window of its function, and complete if it also returns before OffNs. How many calls there were
// outside of the windows is an estimate: a window stands for the processor time around it, up to
// half of the way to the windows of the function before and after. The Surveys of the module say how
// much its processes have used up to when. That processor time excludes the cost of the probes, which
// is an estimate: CostNs says how much was subtracted.
//
// Stacks. An entry may have in value the number of a Stack, counted from 1. A Stack is the place
// from which the function was called; it names the Stack of its own caller, and so on. Stacks that
// share callers share these rows. The innermost Stack of a Sample is the place where it was. Stacks
// are written when the recording ends: an entry may come before the definition of its stack, and a
// trace that was not completed has no stacks.
//
// Values. A function describes the values of its events: in args for entries and hits, in results
// for returns. The column args has them in that order: a number, true or false, a string, or null
// if it could not be read. A string that is not valid UTF-8 is an object {"bytes":"…"} in base64. A
// string that was cut to the recorded length is {"text":"…","cut":true} (or bytes). A null pointer
// instead of a string is {"null":true}.
//
// The metadata of the schema has under "utrace.version" the version of the format. Under "utrace"
// it has the JSON of Meta: the facts that were available at the start, and Meta.Labels, which the
// user gave; older traces have no labels. Within a version, columns of integers or utf8 may be added
// at the end, as well as kinds of rows and members of the JSON. Readers skip what they do not
// understand, but count the time of such rows. Any other change makes a new version.
//
// The end-of-stream marker is before the footer. A Reader goes from front to back and needs no
// footer: after a kill -9 or on a full disk it reads the file up to the last complete batch. To
// open such a file with other programs, read it from byte 8 on as an Arrow stream.
//
// # A worked example
//
// A thread calls main, main calls work, and work returns 5. As text (see ReadText), without the
// definitions:
//
//	1000 0 entry 0 sp=0x7ffe00001000
//	1700 0 entry 1 sp=0x7ffe00000fe0
//	2500 0 return 1 sp=0x7ffe00000fe0 value=0x5
//
// In the file, a batch of definitions and one of events:
//
//	delta_ns thread func kind cpu stack_bytes value          info
//	0        0      0    16   0   0           0              {"path":"/bin/prog",…}            module 0
//	0        0      0    17   0   0           0              {"name":"main","module":0,…}      function 0
//	0        0      1    17   0   0           1              {"name":"work","module":0,…}      function 1
//	0        0      0    18   0   0           0              {"pid":10,"comm":"prog"}          process
//	0        0      0    19   0   0           0              {"pid":10,"tid":10,…}             thread 0
//
//	0        0      0    5    0   0           0x7ffe00101000 null                              stack base
//	1000     0      0    0    0   0x100000    0              null                              entry of main
//	700      0      1    0    0   0x100020    0              null                              entry of work
//	800      0      1    1    0   0x100020    5              null                              return of work
//
// Polars needs one expression for the time:
//
//	df.with_columns(time_ns=pl.col("delta_ns").cast(pl.UInt64).cum_sum().over("thread"))
//
// # Notes on the choice
//
// Note: columns. BenchmarkEncoding measures each encoding that was considered, in bytes and
// nanoseconds an event. These are medians of a run on a shared 2-core AMD EPYC, with zstd as Arrow
// writes it. "loop" is a loop over the same calls, "walk" a walk that never repeats:
//
//	                          loop: bytes encode decode    walk: bytes encode decode
//	time, uint64 absolute           2.04  45     10              2.04  47     25
//	time, uint64 difference         1.15  36     8.7             1.15  44     8.7
//	time, uint32 difference         1.33  27     3.4             1.33  27     4.0
//	stack, uint64 pointer           0.001 1.3    0.8             0.94  28     9.7
//	stack, int32 difference         0.001 0.7    0.4             0.72  17     4.8
//	stack, uint32 from a base       0.001 0.7    0.4             0.75  16     3.9
//	func, uint32                    0.001 0.7    0.4             0.72  19     3.7
//	func, uint16                    0.000 0.3    0.3             0.51  10     1.8
//	all, by BenchmarkWriter         1.52  133                    3.29  184
//
// Absolute times alone would use up the two bytes an event that a trace may cost. Differences of 32
// bits are a little larger than those of 64 bits, and decode more than twice as fast. The distance
// from a base is as small as the difference and needs no running sum. A uint16 for func would save
// little, and break at 65,536 functions, which a Go or C++ program has.
//
// Note: time by bytes. The low and the second byte of the difference could be columns of 8 bits.
// BenchmarkEncoding and recordings of four programs say what that would change:
//
//   - 0.9 to 1.4 bytes an event instead of 1.1 to 1.6
//   - 1.2 to 3 ns to decode instead of 4 to 6
//   - 6 to 17 ns to encode instead of 31 to 48
//
// A report would take 5 to 8% less time. That was not worth a second version, with other times for
// every reader. It would be if the recorder's time mattered more.
//
// Note: growing tables. Threads appear during a recording, but a file has one schema. Four places
// for them were considered:
//
//   - Dictionary columns: Arrow's Go writer refuses to replace a dictionary in a file, and polars
//     does not read deltas.
//   - The metadata of the schema, or the footer: the one is written too early, the other too late
//     to survive a crash.
//   - The metadata of single batches: no reader shows them.
//   - Rows of their own kind, in an otherwise null column. They cost 0.0005 bytes an event, this
//     package's reader skips the column, and every reader shows it.
//
// These were seen to open such a file: polars (npm nodejs-polars 0.26, scanIPC), apache-arrow 21.2
// of npm (with a zstd codec registered), and Arrow's Go reader (in the tests).
//
// Note: reading. This package writes with Arrow's library and reads without it. Arrow's reader
// trusts the lengths in a file: a trace from a stranger could ask for any amount of memory. It
// makes a new decompressor for every batch, and cannot skip columns. On columns like
// BenchmarkEncoding's random ones it took 38 to 60 ns an event. The columns that a report needs
// take 5 to 15 ns here.
package format
