// Package dwarf reads debugging information: where functions are declared, into which others they
// are inlined, and what their parameters and results are and where.
//
// It reads bytes only ([Sections]) and opens no file: package elffile does. It imports the packages
// abi and cursor, and is imported by elffile.
//
// # Parameters and results
//
// [Info.Signature] finds the parameters and results of a function as operands (package abi) that a
// probe can fetch. [Value.Member] follows pointers and members. Two sources locate a value, since
// neither is enough:
//
//   - The calling convention, from the types: System V for C and C++ (sysv.go), AAPCS64 (aapcs.go),
//     Go's (goabi.go), and what rustc does (rustabi.go). It holds with and without optimisation,
//     unless the compiler has changed how the function is called.
//   - Location lists (locationlist.go), if they cover the entry. They also hold for changed
//     functions. Without optimisation there are none: then a parameter has one location in the
//     frame, which is not filled at the entry.
//
// A list that covers the entry comes first, except in Go, whose compiler changes no function.
// Without a list, a function that may have been changed has no locations but a reason
// ([Value.Why]). Such functions are:
//
//   - GCC's copies (.constprop, .isra, .part);
//   - functions with DW_CC_nocall;
//   - local functions from versions of LLVM that did not set DW_CC_nocall;
//   - methods that LLVM compiled, which it never marks. LLVM 22 was seen to return, in one
//     register, a &str whose length alone is used.
//
// What is known of languages, besides their types, is the layout of std::string, &str, String, Vec,
// and Go's strings, slices and interfaces, by the names of their members (layout.go).
//
// # Checks
//
// Both sources were compared with each other, and with programs that print their arguments.
// fetch_test.go evaluates the operands on stopped processes. In libc 6,758 locations agree, in a Go
// program 3,481 of 3,482: there the list has one register twice.
//
// Two things remain wrong. GCC's single locations in optimised code are not exact at the entry: an
// __int128 is said to be in RAX. LLVM passes nothing for a parameter that the function does not
// use, if it sees the function. The value is then garbage, and no debugging information says so.
//
// # Limits
//
// The bytes belong to the user who is traced, while the reader may be root. Every parser is bounded
// in time and memory, whatever the bytes say. debug/dwarf is not used, since it recurses and
// follows references without a bound. Tests compare the results with it.
package dwarf
