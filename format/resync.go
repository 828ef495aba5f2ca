package format

import (
	"encoding/binary"
	"io"
)

// Limits of the search for a message.
const (
	maxHeaderBytes = 64 << 10  // of a batch; 64 columns take 8 KiB
	searchBytes    = 128 << 10 // read at once: many batches may have to be searched for
)

// Resync continues after damage, once Next has returned io.EOF. It moves to the next message that
// looks like a batch, and returns the number of bytes that it has skipped. It returns 0, and the
// damage remains, if there is no such message.
func (r *Reader) Resync() (skipped int64) {
	if r.damage == "" {
		return 0
	}
	at, found := r.find(r.pos+1, r.size)
	if !found {
		return 0
	}
	skipped = at - r.pos
	r.pos, r.done, r.damage = at, false, ""
	return skipped
}

// find returns where a batch begins in the bytes from..to of the file.
func (r *Reader) find(from, to int64) (at int64, found bool) {
	const step = searchBytes - maxHeaderBytes
	buf := make([]byte, searchBytes)
	for ; from < to; from += step {
		n, err := r.src.ReadAt(buf, from)
		if err != nil && err != io.EOF {
			return 0, false
		}
		for i := int64(0); i < min(to-from, step) && i+8 <= int64(n); i++ {
			if r.batchBegins(buf[i:n], r.size-from-i) {
				return from + i, true
			}
		}
	}
	return 0, false
}

// swallows reports whether a message up to end contains the beginning of another one. It does if
// bytes of it are missing from the file.
func (r *Reader) swallows(end int64) bool {
	var head [4]byte
	if _, err := r.src.ReadAt(head[:], end); err != nil || binary.LittleEndian.Uint32(head[:]) == 0xffffffff {
		return false
	}
	_, found := r.find(r.pos+1, end)
	return found
}

// batchBegins reports whether a message with a batch of all columns may begin at the start of data.
// The file has left bytes from there on.
func (r *Reader) batchBegins(data []byte, left int64) bool {
	if binary.LittleEndian.Uint32(data) != 0xffffffff {
		return false
	}
	size := int64(binary.LittleEndian.Uint32(data[4:]))
	if size == 0 || size > maxHeaderBytes || size > int64(len(data)-8) {
		return false
	}
	var ferr error
	msg := flatRoot(data[8:8+size], &ferr)
	body := msg.int64Field(3)
	batch, ok := msg.table(2)
	if !ok || msg.byteField(1) != messageRecordBatch || body < 0 || body > left-8-size {
		return false
	}
	_, fields := batch.vector(1, 16)
	_, buffers := batch.vector(2, 16)
	return ferr == nil && fields == r.layout.fields && buffers == r.layout.total
}
