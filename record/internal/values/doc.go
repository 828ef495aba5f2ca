// Package values finds where the values are that a probe records of one function, and says to the
// programs in the kernel how to fetch and compare them.
//
//  1. A [Finder] locates each argument and result: by the function's debug information
//     (debugvalue.go), or else by the calling convention (conventionvalue.go).
//  2. It resolves the names in the probe's condition. A value that only the condition needs is
//     fetched, and not recorded.
//  3. The result, [Bound], becomes two sites (bpf.Site), for the entry and the return: what to fetch
//     (fetch.go), and comparisons that lead from one to the next (comparison.go).
//
// It knows ELF files and bpf.Site, and nothing of processes.
package values
