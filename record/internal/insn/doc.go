// Package insn knows machine instructions of x86-64 and aarch64, by their bytes alone. It finds how
// long an instruction is and where control goes after it, how the kernel treats a breakpoint on it,
// and where to probe the entry of a function.
//
// All functions are pure: they read no file, and they ask no kernel. Package elffile applies them
// to the code of a file.
//
// # Lengths
//
// The x86-64 decoder finds lengths and the flow of control by a table of its own (x86map.go).
// golang.org/x/arch/x86/x86asm was tried first, and compared with objdump. Version 0.32 gives
// vzeroupper 4 to 8 bytes instead of 3, and then loses the boundaries of instructions in functions
// with AVX code. A breakpoint there would corrupt the program. The table agrees with objdump on all
// of 2.1 million instructions of libc, libcrypto, libstdc++, libm, libz and python3.11
// (TestLengthsAgreeWithObjdump).
//
// # Classes
//
// The kernel handles a breakpoint in one of three ways, which differ in cost: see [Class]. The
// entry of a function can be probed a few instructions after its first byte, if a cheaper class
// makes that worthwhile: see [FindEntry].
package insn
