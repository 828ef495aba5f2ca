// Package elffile reads ELF files of programs and libraries: their functions, code and source
// lines, the probes that they contain, and what makes return probes dangerous in them.
//
// It imports the packages abi, cursor, insn and dwarf, which know nothing of files. Address
// arithmetic for ELF files is here only. Two types keep apart what is easily confused: [abi.Addr]
// is a virtual address in the file, as nm and objdump print it. [FileOff] is an offset into the
// file, as the kernel wants it for a uprobe.
//
// # Where names come from
//
// Most programs are stripped. Debian's python3.11 exports 1,475 of its 6,813 functions; the others
// have no name. There are four sources. The first that has anything counts (symbol.go):
//
//  1. .symtab of the file.
//  2. .symtab of its separate debug file (debugfile.go). An installed one is found by build ID or
//     debug link, a downloaded one by File.CachedDebug. It must be of the same build. The debug
//     file also has the DWARF. It cannot be probed itself, since it has addresses but no code.
//  3. A compressed symbol table embedded in the file (.gnu_debugdata, embedded.go).
//  4. Go's table for stack traces, which survives any stripping and has source lines (pclntab.go),
//     and the unwind tables of exceptions, debuggers and profilers (unwindtable.go, recovered.go).
//
// .dynsym is always read.
//
// The unwind tables have the beginning and end of functions, but no names: such a function is named
// sub_ADDRESS ([Func.Recovered]). They also have an entry for the unlikely part of a function that
// compilers move out of line, which is not entered by a call. Most of these parts show by their
// unwind rules (record/internal/dwarf/unwindrules.go). Parts that are jumped to before anything is
// on the stack show by the references to them in code and data (unlikelypart.go).
//
// This was measured on files of Debian 12 without their symbols, against those symbols:
//
//   - libc has 1,414 local functions. 1,410 are found, and nothing else.
//   - python3.11 (link-time and profile-guided optimisation) has 5,338. 5,332 are found, and two
//     unlikely parts.
//   - .dynsym of these files exports 2,200 and 1,475 starts. All except one have an entry.
//
// Assembly without unwind tables and code made at run time have no entry.
//
// A function without a name may be one that must not get a return probe (setjmp, swapcontext),
// since those are recognised by name. [File.HoldsLibc] and [File.LoadsStackPointer] say where that
// matters.
//
// A function that exists only inlined has no address: [File.Inlined] returns the functions that
// contain it.
//
// # USDT probes
//
// A static probe (USDT) is a note about a nop instruction (usdtnote.go, usdtoperand.go). The note
// has the address of the nop and the name of the probe. It may name a counter, the semaphore, which
// the program checks before it gets to the nop. It also has the locations of the arguments, written
// as in assembly. These refer to variables by name, so the symbols of data matter.
// [abi.Operand.Unreadable] is the reason why an argument cannot be fetched.
//
// # Signatures
//
// [File.Signature] returns the parameters and results of a function, and where they are: see
// package dwarf. The name of a Go type comes from the program itself (gotype.go).
//
// # Limits
//
// The files belong to the user who is traced, while the reader may be root. Every parser is
// therefore bounded in time and memory, whatever the bytes say. A section has a size limit, a count
// is checked against the bytes after it, and an offset that leads back is not followed. What passes
// a limit is an error ([ErrTooLarge]). Where a part is useful alone, the result is that part, and
// says so ([dwarf.Lines.Truncated]).
//
// Strings are returned as they are in the file, including control characters: whoever prints them
// escapes them.
//
// Files are read with pread, never mapped. A file that shrinks while it is read gives an error, not
// a SIGBUS.
package elffile
