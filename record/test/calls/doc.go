// Package calls tests that a recording has each call of a function: numbers of calls against other
// tools and against programs that count themselves, pairing of entries and returns, nesting,
// arguments and results, conditions, --slower-than, dropped and lost calls, and stacks.
//
// Run it after a change to record/plan (placement, hazards, values, conditions),
// record/internal/probe, insn, abi, dwarf or elffile; to draining, dropped calls or stacks in
// record; to the programs in bpf; or to the pairing and loss of calls in analyze.
package calls
