// Package usdt tests static probes (USDT): values of all operands, texts, conditions, spans of two
// probes, probes that appear while a program runs, and notes that lead to a wrong place.
//
// Run it after a change to static probes in record/plan, record/internal/probe, elffile or bpf, to
// conditions (format/condition), or to the pairing of spans in analyze.
package usdt
