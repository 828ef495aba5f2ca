package abi

// Addr is a virtual address in an ELF file, as nm and objdump print it: before the load bias of a
// process.
type Addr uint64
