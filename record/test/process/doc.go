// Package process tests recordings as a whole, and the processes in them: attaching to running
// processes and to the whole machine, commands with their signals and status, children (--follow),
// programs and libraries that appear later, deleted and stripped files, other namespaces, large
// programs, servers under load, limits of the output file, and that a recording does no harm.
//
// Run it after a change to the session in record (attaching, draining, discovering, command and
// tracer, output), to scopes in record/plan, to record/internal/image, proc, procmaps or ldso, to
// the choice of uprobe_multi or perf events in bpf, or to the commands record and doctor in
// cmd/utrace.
package process
