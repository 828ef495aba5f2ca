// Package format defines the trace file: what a recorder writes and an
// analyzer reads, and all that the two share.
//
// # The file
//
// A trace is an Apache Arrow IPC file, its buffers compressed with zstd. All its
// batches have one schema, and no column but info and args has nulls:
//
//	delta_ns     uint32  nanoseconds since the previous row of the same thread
//	thread       uint32  which thread
//	func         uint32  which function
//	kind         uint8   what the row is, see Kind
//	cpu          uint16  on which processor
//	stack_bytes  uint32  distance of the stack pointer from the thread's stack base
//	value        uint64  a return value, a stack base, or an entry's stack
//	info         utf8    JSON of a definition
//	args         utf8    JSON array of the values that an event carries
//
// A batch holds either events or definitions. The rows of events are sorted by
// thread, and by time within each; the batches follow each other in time.
//
// Kinds of rows. Those below 16 are of a thread:
//
//	0   Entry          a function is entered
//	1   Return         it returns; value is the return value
//	2   TailEntry      entered by a tail call: the caller's frame is gone, its return is still to come, at the same stack pointer
//	3   Hit            a probe without a return is passed
//	4   Pause          nothing but time
//	5   StackBase      value is the stack base from here on
//	6   SchedOut       the thread leaves its processor
//	7   SchedIn        it runs again
//	8   Wakeup         it may run again
//	9   DroppedReturn  the return of a call that did not meet a condition, see Dropped
//	10  Displaced      the recorder has run in the thread's place, for value ns up to here
//
// From 16 on they are definitions, with the JSON of the struct of that name in info: 16 Module, 17 Func, 18 Process, 19 Thread, 20 Loss,
// 21 LeftOut, 22 End, 23 TakenOff, 24 Calibration, 25 Dropped, 26 Stack.
//
// Time. The running sum of delta_ns over all rows of a thread, from the start of the file, is
// the time in nanoseconds since the start of the recording. A gap of more than
// 4.29 s, which one delta cannot hold, is bridged by Pauses.
//
// Stack. A StackBase says in value from where the stack_bytes
// of the thread's following rows count down: stack pointer = base - stack_bytes.
// A thread that changes to a stack elsewhere gets a new base. 0 bytes: unknown. The
// stack pointer is that at the function's entry; for a return it is adjusted, so
// that a call's entry and its return have the same one.
//
// The scheduler. With Meta.Sched, rows of the kinds 6, 7 and 8 tell when a thread that has
// had an event leaves its processor, runs again, and may run again: between 6 and 8 it is blocked, if the value of 6, its
// state, is not 0; up to 7 it waits for a processor. Without it, too, rows of the kind 10 tell how long the recorder has kept a thread from
// running, or a goroutine. All these rows have func 0 and are not counted as events. Threads with a goroutine
// or a track have none of the others: the scheduler knows only threads.
//
// Definitions. What a number in the columns thread or func stands for is said by
// a Thread or Func, in an earlier batch: the number is in the column itself and in value. Modules and Stacks are numbered by value alone.
// A function belongs to a Module, a thread to the last Process defined before it with its PID. An End is the last row of a trace that
// was completed.
//
// Calls that are not kept. Where only some calls were to be recorded, by a condition that is decided at the return (duration > 1ms,
// Meta.SlowerThanNs), the others are numbers: a Dropped has those of a function in a process, and of several for these two the last counts.
// Such a call has no rows, unless one that was kept lies inside it: then its entry is there, and its return is a DroppedReturn, with
// the time and stack pointer of a Return. It is among those that Dropped counts. total_ns leaves out the
// calls inside another of the same function, self_ns the probed calls inside. inside_ns is about the calls of the function that were kept:
// the time of dropped calls directly inside them, which has no rows and is not their self time.
// Of calls whose arguments do not meet a condition the End has the hits that they made, by function.
//
// Cost. A Calibration says what the hits of each class of sites cost when it was made; entry_class and return_class of a Func name the
// classes of its sites. It counts for the batches of events behind it.
//
// Stacks. In the column value an entry may have the number of a Stack, which count from 1: the place that it
// was called from, whose own caller is the Stack that it names, and so on. What stacks have in common is there once. They
// are found out when the recording ends: an entry may come before the definition of its stack, and a trace that was
// not completed has none of them.
//
// Values. What the events of a function carry is described by its args, for entries and hits, and
// results, for returns. In the column args they stand in that order: a number; true or false; a
// string; null for what could not be read. A string that is not valid UTF-8 is an object
// {"bytes":"…"} in base64, and one that was longer than it was to be recorded {"text":"…","cut":true} (or bytes).
//
// The metadata of the schema hold under "utrace.version" the version of the
// format, and under "utrace" what was known at the start, as the JSON of Meta.
// Within a version, columns of integers or of utf8 may be added at the end, kinds of rows, and members to
// the JSON; readers pass over what they do not know, but for the times of such rows. Any other change makes a new version.
//
// Before the footer stands the end-of-stream marker. A Reader goes from front to
// back and needs no footer: after a kill -9 or on a full disk the file is read up to its last
// complete batch. To open such a file with other programs, read it from byte 8 on as an
// Arrow stream.
//
// # A worked example
//
// A thread calls main, which calls work, which returns 5. As text (see
// ReadText), without the definitions:
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
// Note: columns. BenchmarkEncoding measures each encoding that was considered, in bytes
// and nanoseconds an event (medians of a run on a shared 2-core AMD EPYC, zstd as Arrow writes it);
// "loop" is a loop over the same calls, "walk" a walk that never repeats:
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
// Absolute times alone would use up the two bytes an event that a trace may cost. Differences
// of 32 bits are a little larger than those of 64 and decode more than twice as fast. The
// distance from a base is as small as the difference and needs no running sum. A uint16 for func would
// save little and break at 65,536 functions, which a Go or C++ program has.
//
// Note: growing tables. Threads appear while a recording runs, and a file has one schema.
// Dictionary columns: Arrow's Go writer refuses to replace a dictionary in a file, and
// polars does not read deltas. The metadata of the schema and the footer: the one is written too early, the
// other too late to survive a crash. Metadata of single batches: no reader shows them.
// Rows of their own kind in an otherwise null column cost 0.0005 bytes an event, this package's
// reader skips the column, and every reader shows it. Seen to open such a file: polars (npm
// nodejs-polars 0.26, scanIPC), apache-arrow 21.2 of npm (with a zstd codec registered),
// and Arrow's Go reader (in the tests).
//
// Note: reading. This package writes with Arrow's library and reads by itself. Arrow's
// reader trusts the lengths in a file (a trace from a stranger could ask for any amount of memory), makes a
// new decompressor for every batch, and cannot skip columns; on columns like BenchmarkEncoding's random ones it took 38 to
// 60 ns an event where the columns that a report needs take 5 to 15.
package format
