// Package calls pairs returns with entries while a recording runs, for what cannot wait for an
// analysis: the conditions of a flight recorder, and a live table.
//
// It follows the rules of package analyze, with less of a memory: it keeps open calls only. Events
// come from several processors, so those of a thread are put in order first (Follower).
//
//  1. An entry ends the open calls that lie deeper in the stack than it does. Those at its own depth
//     end as well, except at a tail call, and between spans of different static probes.
//  2. A return ends the calls that lie deeper. The topmost call of its function at its depth is
//     complete, and those above it are gone. Without one, the return has no entry.
//  3. A return without a stack pointer takes the nearest open call of its function.
//  4. An Exit ends all calls of its thread.
//
// After lost events an open call may have returned unseen: Forget drops all of them.
package calls
