// Package procmaps reads the memory mappings of a process from /proc/PID/maps. On systems without
// /proc, [Read] always fails.
package procmaps
