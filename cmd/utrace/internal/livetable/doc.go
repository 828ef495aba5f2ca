// Package livetable counts the calls of a running recording, for utrace top: a Table takes calls and
// makes a Snapshot of each interval, and Text or JSON shows it.
package livetable
