//go:build linux

// Package selector chooses processes by what they are: their name, program, user, control group,
// unit of systemd, container or pod.
//
// A process must match every kind of criterion that is given, and one of each kind. It is looked at
// through /proc, and through the state files of container runtimes (record/internal/container). So
// the answer is that of the moment:
//
//   - All is asked when a recording begins, and once a second. This finds processes that changed
//     without a fork or exec: a new name of a thread, another user, another group.
//   - Matches is asked when a recorded process forks, and when any process executes a program.
//
// Cheap criteria come first. Names of threads come last, since reading them takes a file for each
// thread of the machine.
//
// Never chosen are the kernel's own threads, which have no program, and utrace with the processes
// that it starts to measure and to hold probes.
package selector
