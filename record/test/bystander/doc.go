// Package bystander tests that a recording does no harm to programs that it does not record. They
// run beside recorders of every kind, and their output and exit status must equal those alone. Some
// read, copy or translate their text, where a breakpoint of somebody else would be fatal. Others
// are debuggers with breakpoints of their own.
//
// Run it after a change to the processes in which probes are attached. make soak runs each program
// often.
package bystander
