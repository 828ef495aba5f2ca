// Package cursor reads numbers and strings from bytes that nobody has checked, as ELF and DWARF
// sections are.
package cursor
