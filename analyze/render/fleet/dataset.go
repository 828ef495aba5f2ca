package fleet

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"utrace/analyze"
	"utrace/analyze/render/columnar"
)

// Limits of the calls that are sorted together, which are kept in memory.
const (
	chunkRows  = columnar.GroupRows
	chunkBytes = 64 << 20 // of arguments and results
)

// functionRows is the number of rows from which on a row group ends where another function begins.
const functionRows = 1 << 13

// The tables, which are directories of the dataset.
const (
	callsTable      = "calls"
	histogramsTable = "histograms"
)

// Dataset writes the calls of traces into a directory, see the documentation of the package. Use
// NewDataset.
type Dataset struct {
	root       *os.Root
	calls      table[analyze.Call]
	histograms table[histogram]
	open       histograms
	chunk      []analyze.Call
	bytes      int               // of arguments and results in chunk
	recording  string            // that is being written, "" for none
	traces     map[string]string // by recording that was written: its file
}

// NewDataset opens a dataset in a directory, which is made if it is missing. The dataset is
// partitioned by keys: at least one. It fails if the directory is partitioned by others. It must be
// closed.
func NewDataset(dir string, keys []Key) (*Dataset, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	d := &Dataset{
		root:       root,
		calls:      table[analyze.Call]{root: root, name: callsTable, keys: keys, columns: callColumns},
		histograms: table[histogram]{root: root, name: histogramsTable, keys: keys, columns: histogramColumns},
		traces:     map[string]string{},
	}
	for _, name := range []string{callsTable, histogramsTable} {
		if err := checkLayout(root, name, keys); err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
	return d, nil
}

// Write adds a call. The calls of a recording come one after another. It fails for a recording that
// was complete already: the same trace in two files.
func (d *Dataset) Write(c *analyze.Call) error {
	if trace := d.traces[c.Recording]; trace != c.Trace {
		if trace != "" {
			return fmt.Errorf("%s and %s are the same recording: its calls would count twice", trace, c.Trace)
		}
		if err := d.commit(); err != nil {
			return err
		}
		d.traces[c.Recording], d.recording = c.Trace, c.Recording
		d.calls.host, d.calls.recording = c.Host, c.Recording
		d.histograms.host, d.histograms.recording = c.Host, c.Recording
	}
	d.open.add(c)
	if d.open.full() {
		if err := d.writeHistograms(); err != nil {
			return err
		}
	}
	d.chunk = append(d.chunk, *c)
	if d.bytes += len(c.Arguments) + len(c.Results); len(d.chunk) < chunkRows && d.bytes < chunkBytes {
		return nil
	}
	return d.writeCalls()
}

// Close completes the dataset.
func (d *Dataset) Close() error { return errors.Join(d.commit(), d.root.Close()) }

// Abort closes the dataset without the recording that is being written. Its earlier files stay.
func (d *Dataset) Abort() error {
	return errors.Join(d.calls.abort(), d.histograms.abort(), d.root.Close())
}

// commit completes the files of the recording.
func (d *Dataset) commit() error {
	if d.recording == "" {
		return nil
	}
	d.recording = ""
	err := errors.Join(d.writeCalls(), d.writeHistograms())
	if err == nil {
		err = errors.Join(d.calls.commit(), d.histograms.commit())
	}
	if err != nil {
		return errors.Join(err, d.calls.abort(), d.histograms.abort())
	}
	return nil
}

// writeCalls writes the chunk as row groups of its own.
func (d *Dataset) writeCalls() error {
	sorted := make([]*analyze.Call, len(d.chunk))
	for i := range d.chunk {
		sorted[i] = &d.chunk[i]
	}
	slices.SortStableFunc(sorted, func(a, b *analyze.Call) int {
		return cmp.Or(a.Function.Compare(b.Function), a.Begin.Compare(b.Begin))
	})
	err := writeRows(&d.calls, sorted, func(c *analyze.Call) (time.Time, string) { return c.Begin, c.Function.Name })
	clear(d.chunk)
	d.chunk, d.bytes = d.chunk[:0], 0
	return err
}

func (d *Dataset) writeHistograms() error {
	return writeRows(&d.histograms, d.open.take(), func(h *histogram) (time.Time, string) { return h.time(), h.function.Name })
}

// writeRows writes sorted rows into the files for their times, as row groups of their own. A row
// group of some size ends where another function begins.
func writeRows[T any](t *table[T], rows []*T, of func(*T) (at time.Time, function string)) error {
	functions := map[*part[T]]string{} // the latest
	for _, row := range rows {
		at, function := of(row)
		p, err := t.of(at)
		if err != nil {
			return err
		}
		if p.Grouped() >= functionRows && functions[p] != function {
			if err := p.EndGroup(); err != nil {
				return err
			}
		}
		functions[p] = function
		if err := p.Write(row); err != nil {
			return err
		}
	}
	for p := range functions {
		if err := p.EndGroup(); err != nil {
			return err
		}
	}
	return nil
}
