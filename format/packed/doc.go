// Package packed opens traces that are compressed with zstd or gzip, or that come from a stream.
//
// A view reads a trace more than once and at any position. So an Opener first copies such a trace,
// decompressed, to a temporary file, once for all views. The file has no name: the kernel frees it
// when utrace ends, however it ends. Memory stays bounded, and a trace of any size can be read.
//
// The directory is $TMPDIR or, without it, /var/tmp, which is on a disk where /tmp may be memory.
//
// A few bytes can decompress to terabytes. The copy ends at once if its first bytes are not those
// of a trace. It also ends when it has more than 1 GiB and more than 100 times the bytes of its
// source. No trace is like that: its batches are compressed already, so that a second compression
// saves half of its size at most.
package packed
