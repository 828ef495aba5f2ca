// Package stacks turns the stacks in the kernel's records, of callers and of samples, into those of
// a trace.
//
// Each entry has the stack of callers, by frame pointers (bpf/stack.h). At the
// entry of a function that register is still the caller's, and the return address of the caller is
// on top of the stack. The recorder examines a stack as soon as it arrives (set.go), since it
// needs the mappings of the process (codemaps.go). The tracer of a command reads them again when a
// process is about to end, and a child that is gone has those of its parent. A process that utrace
// does not trace, and that ends within 50 ms of its first stack, can lack them. The summary counts
// such calls. Names and lines are looked up when the recording ends (callers.go).
//
// Code without frame pointers leaves arbitrary values in the register. So an address counts only in
// two cases: it follows a call instruction of a file that is mapped there, or it lies in code that
// was made at run time. The stack ends at any other address. The direct caller is right in any
// case. Beyond a function that sets up no frame, callers may be missing: plan and summary name the
// files with such functions. The stack also ends where a thread changed its stack (signals on
// another stack, coroutines), at a signal handler, and at 127 frames.
//
// The innermost place of a sample is the interrupted instruction, and always right. Compilers set
// up no frame in functions that make no calls, even with -fno-omit-frame-pointer. There the direct
// caller is the address on top of the stack (isLeafOf). It is missing while a function sets up its
// frame or has removed it, and in other functions without a frame.
//
// A return probe hides the return address of its function: a frame "[caller of a probed function]"
// replaces it. For a traced function the address is known from its own entry: the kernel puts its
// probe on the return only afterwards.
package stacks
