package format

import (
	"bytes"
	"errors"
)

// memFile is a File in memory that can be full.
type memFile struct {
	bytes.Buffer
	limit int
	ends  []int // where complete writes ended
}

var errFull = errors.New("no space left on device")

func (m *memFile) Write(p []byte) (int, error) {
	if m.limit > 0 && m.Len()+len(p) > m.limit {
		n, _ := m.Buffer.Write(p[:m.limit-m.Len()])
		return n, errFull
	}
	m.ends = append(m.ends, m.Len()+len(p))
	return m.Buffer.Write(p)
}

func (m *memFile) Truncate(size int64) error {
	m.Buffer.Truncate(int(size))
	return nil
}
