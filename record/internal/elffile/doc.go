// Package target reads what is to be traced: the ELF files of a program, their functions, instructions and source
// lines, the mappings of a running process, and the libraries that the dynamic linker would load for a program.
//
// It is the only place with ELF address arithmetic. Two distinct types keep apart what is easily confused:
// [Addr] is a virtual address in the file, as nm and objdump print it; [FileOff] is an offset into the file, as
// the kernel wants it for a uprobe.
//
// # Where names come from
//
// What people run is mostly stripped: Debian's python3.11 exports 1,475 of its 6,813 functions, the others have no name. So
// there are four sources, the first that has something wins (symbol.go):
//
//  1. .symtab of the file;
//  2. .symtab of its separate debug file, found by build ID or debug link (debugfile.go), which has the DWARF, too; it
//     must be of the same build, and is never itself a target: it has addresses, and no code;
//  3. a symbol table embedded in the file, compressed (.gnu_debugdata, minidebug.go);
//  4. Go's table for stack traces, which survives every stripping and has source lines (pclntab.go), and the unwind tables,
//     by which exceptions, debuggers and profilers find their way (frame.go, recover.go).
//
// .dynsym is read in any case. The unwind tables know where functions begin and end, not what they are called: such a
// function is named sub_ADDRESS ([Func.Recovered]). They have an entry for the unlikely part of a function that compilers
// move out of line, too, which is not entered by a call. Most of these are known by their unwind rules (rules.go), those that
// are jumped to before anything is on the stack by how code and data refer to them. Measured on files of Debian 12 without
// their symbols, against those symbols: of libc's 1,414 local functions 1,410 are found, and nothing else; of
// python3.11's 5,338 (link-time and profile-guided optimisation) 5,332, and two unlikely parts; every one of the 2,200 and 1,475 starts that .dynsym
// exports, but one, has an entry. What has none is assembly whose author wrote none, and code that is made at run time.
//
// A function without a name has no safe name either: what may not get a return probe (setjmp, swapcontext) is known by
// its name elsewhere. [File.HoldsLibc] and [File.LoadsStackPointer] tell where that matters.
//
// A function that exists only inlined has no address at all: [File.Inlined] says into which others it was put.
//
// # Static probes
//
// A static probe (USDT) is a note about an instruction, a nop: where it is, what it is called, which counter (its semaphore) the program
// looks at before it comes there, and where the arguments are then, as the assembler would write it (static.go, operand.go). Variables
// are in notes by name, so the symbols of data matter for them. What cannot be fetched says why ([Operand.Unreadable]).
//
// # Parameters and results
//
// [File.Signature] says what the parameters and results of a function are, and where, when a probe at its entry or return hits: as
// operands (operand.go) that the kernel side fetches. Types come from DWARF; [Value.Member] follows pointers and members. Where a
// value is comes from two sources, since neither is enough:
//
//   - The calling convention, from the types (abi.go and abi_*.go): System V for C and C++, Go's registers, what rustc does, AAPCS64. It holds
//     whether or not the code is optimised, unless the compiler has changed how the function is called.
//   - Location lists (location.go), where they cover the entry: they hold for changed functions, too. Without optimisation there are
//     none: a parameter's one location is its place in the frame, which is empty at the entry.
//
// A list that covers the entry comes first, but in Go, whose compiler changes no function. If there is none, and the function may have been
// changed, the parameter has no place but a reason ([Value.Why]): GCC's copies (.constprop, .isra, .part), DW_CC_nocall, and local functions of LLVM before it set
// that, or where it has no place for it, which is all methods (seen with LLVM 22: a &str of which only the length is used comes back in one
// register, unmarked).
//
// Note: both sources were held against each other, and against programs that print what they are called with (fetch_test.go evaluates the
// operands on stopped processes). 6,758 places in libc agree, and 3,481 of 3,482 in a Go program, whose list has one register twice. GCC's single
// locations in optimised code are not exact at the entry (an __int128 in RAX). LLVM passes nothing for a parameter that the
// function does not use, if it sees the function: that parameter is garbage, and no debugging information says so.
//
// What is known of languages beside their types: the layout of std::string, &str, String, Vec, Go's strings, slices and interfaces, by the names of
// their members (value.go). A name of a Go type is read from the program itself (gotype.go).
//
// # Limits
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
package elffile
