// Package abi knows the two machines, x86-64 and aarch64: their registers, where a value can be
// when a probe fires, and which registers hold the arguments and results of a function.
//
// It reads no files and imports no other package of utrace. Which register holds a given C, Go or
// Rust type follows from these tables and the type: see package dwarf.
package abi
