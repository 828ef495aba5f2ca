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
// Files are read with pread, never mapped: a file that shrinks while it is read gives an error, not a SIGBUS.
package target
