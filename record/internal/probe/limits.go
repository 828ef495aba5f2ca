package probe

// Limits of what a probe can record. The BPF programs have the same ones (package bpf).
const (
	MaxArgs        = 12   // arguments or results, hidden ones included
	MaxText        = 4094 // bytes of a text or a buffer
	MaxPattern     = 64   // bytes of a text in a condition
	MaxComparisons = 16   // in a condition
)

// DefaultText is how many bytes of a string are recorded, unless str[N] says otherwise.
const DefaultText = 200
