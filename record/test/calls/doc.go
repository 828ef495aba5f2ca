// Package calls tests that a recording has each call of a function: numbers of calls against other
// tools and against programs that count themselves, pairing of entries and returns, nesting,
// arguments and results, conditions, --slower-than, dropped and lost calls, and stacks. Run it
// after a change to the choice of sites (place, hazard, entry, convention), to values and
// conditions (fetch, argument, condition, signature), to dropped calls or stacks in record; to the
// reading of ELF and DWARF in record/internal/target; to calls, fetches, matches, stacks or the
// ring in bpf; or to the pairing and loss of calls in analyze.
package calls
