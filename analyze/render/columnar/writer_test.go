package columnar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/apache/arrow/go/v15/parquet/file"
)

type row struct {
	n    int
	text string // "" is null
}

func newRows(w io.Writer) (*Writer[row], error) {
	return NewWriter(w, "row", []Column[row]{
		Int64("n", func(r *row) int64 { return int64(r.n) }),
		OptionalText("text", func(r *row) string { return r.text }),
	})
}

// A file of several row groups must hold every call. A write error must be returned.
func TestWriter(t *testing.T) {
	write := func(w *Writer[row], calls int) error {
		for i := range calls {
			r := row{n: i}
			if i%3 == 0 {
				r.text = fmt.Sprintf(`{"n":%d}`, i)
			}
			if err := w.Write(&r); err != nil {
				return err
			}
		}
		return w.Close()
	}
	for _, calls := range []int{0, 1, batchRows, GroupRows, 2*GroupRows + batchRows + 1} {
		var out bytes.Buffer
		w, err := newRows(&out)
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
		want := (calls + GroupRows - 1) / GroupRows
		if r.NumRows() != int64(calls) || r.NumRowGroups() != want {
			t.Errorf("%d rows in %d groups, want %d in %d", r.NumRows(), r.NumRowGroups(), calls, want)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	full := errors.New("disk is full")
	for _, room := range []int{0, 3, 100, 10_000} {
		w, err := newRows(&smallDisk{room, full})
		if err == nil {
			err = write(w, 2*GroupRows)
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
