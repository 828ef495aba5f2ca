// Package target reads what is to be traced: the ELF files of a program, their functions, instructions and source
// lines, the mappings of a running process, and the libraries that the dynamic linker would load for a program.
//
// It is the only place with ELF address arithmetic. Two distinct types keep apart what is easily confused:
// [Addr] is a virtual address in the file, as nm and objdump print it; [FileOff] is an offset into the file, as
// the kernel wants it for a uprobe.
//
// The files are owned by the user who is traced, while the reader may be root. Every parser is therefore bounded in time
// and memory, whatever the bytes say: a section has a size limit, a count is checked against the bytes that must
// back it, an offset that leads back is not followed. What passes a limit is an error ([ErrTooLarge]) or, where a part is
// useful alone, a part that says so ([Lines.Truncated]). Strings are returned as the file holds them, control
// characters included: who prints them escapes them.
//
// Note: the x86-64 decoder (x86.go) finds lengths and the flow of control by a table of its own. golang.org/x/arch/x86/x86asm, the
// obvious choice, was held against objdump: v0.32 gives vzeroupper 4 to 8 bytes instead of 3, and so loses its place
// in functions with AVX code; a breakpoint there would corrupt the program. The table agrees on all of 2.1 million instructions
// of libc, libcrypto, libstdc++, libm, libz and python3.11 (TestLengthsAgreeWithObjdump). Nor does the DWARF reader use debug/dwarf,
// which recurses and follows references without a bound: it serves as the independent truth in the tests.
//
// Files are read with pread, never mapped: a file that shrinks while it is read gives an error, not a SIGBUS.
package target
