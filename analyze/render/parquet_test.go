package render

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/parquet/file"

	"utrace/analyze"
	"utrace/format"
)

// A file of several row groups must hold every call. A write error must be returned.
func TestParquetWriter(t *testing.T) {
	write := func(w *ParquetWriter, calls int) error {
		c := analyze.Call{Function: &analyze.Function{Name: "f"}, Thread: &format.Thread{PID: 1}, Process: &format.Process{PID: 1}, State: analyze.Complete}
		for i := range calls {
			c.Arguments = ""
			if i%3 == 0 {
				c.Arguments = fmt.Sprintf(`{"n":%d}`, i)
			}
			if err := w.Write(&c); err != nil {
				return err
			}
		}
		return w.Close()
	}
	for _, calls := range []int{0, 1, batchRows, rowGroupRows, 2*rowGroupRows + batchRows + 1} {
		var out bytes.Buffer
		w, err := NewParquetWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		if err := write(w, calls); err != nil {
			t.Fatal(err)
		}
		r, err := file.NewParquetReader(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		want := (calls + rowGroupRows - 1) / rowGroupRows
		if r.NumRows() != int64(calls) || r.NumRowGroups() != want {
			t.Errorf("%d rows in %d groups, want %d in %d", r.NumRows(), r.NumRowGroups(), calls, want)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	full := errors.New("disk is full")
	for _, room := range []int{0, 3, 100, 10_000} {
		w, err := NewParquetWriter(&smallDisk{room, full})
		if err == nil {
			err = write(w, 2*rowGroupRows)
		}
		if err != full {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}

// smallDisk has room for that many bytes.
type smallDisk struct {
	room int
	err  error
}

func (d *smallDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, d.err
	}
	return len(b), nil
}
