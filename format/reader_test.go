package format

import (
	"bufio"
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/ipc"
)

func TestRefused(t *testing.T) {
	newer := &memFile{}
	w, err := ipc.NewFileWriter(&countingWriter{w: bufio.NewWriterSize(newer, 1)}, ipc.WithSchema(newSchema("{}", "2")))
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	random := make([]byte, 4096)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"empty":  {nil, ErrNotTrace},
		"text":   {[]byte("hello, this is no trace"), ErrNotTrace},
		"random": {random, ErrNotTrace},
		"magic":  {append([]byte("ARROW1\x00\x00"), random...), ErrNotTrace},
		"newer":  {newer.Bytes(), ErrNewer},
	} {
		_, err := NewReader(bytes.NewReader(c.data), int64(len(c.data)))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
}

func TestOpenDirectory(t *testing.T) {
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a directory was opened")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A reader of definitions gets all of them, and no rows of events.
func TestDefinitionsOnly(t *testing.T) {
	read := func(cols Columns) (defs, rows int) {
		src := fromText(t, example)
		r, err := NewReader(src, src.Size())
		if err != nil {
			t.Fatal(err)
		}
		d, err := NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		var m Message
		var b Batch
		for r.Next(&m) == nil {
			if err := d.Decode(&m, cols, &b); err != nil {
				t.Fatal(err)
			}
			if defs += len(b.Defs); len(b.Defs) == 0 {
				rows += b.Rows
			}
		}
		return defs, rows
	}
	all, events := read(Columns{})
	if defs, rows := read(Columns{None: true}); defs != all || all == 0 || rows != 0 || events == 0 {
		t.Errorf("%d definitions of %d, %d rows of %d", defs, all, rows, events)
	}
}

// TestWatch: a reader says how far it is, up to the end of its file.
func TestWatch(t *testing.T) {
	const path = "../testdata/traces/demo.arrow"
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	last, calls := int64(0), 0
	r.Watch(func(offset, size int64) {
		if offset < last || size != info.Size() {
			t.Errorf("%d of %d after %d", offset, size, last)
		}
		last = offset
		calls++
	})
	var m Message
	for r.Next(&m) == nil {
	}
	if calls == 0 || last != r.Offset() {
		t.Errorf("%d calls, the last at %d of %d", calls, last, r.Offset())
	}
}

// FuzzReader reads damaged traces: any error will do, a panic or a huge allocation will not.
func FuzzReader(f *testing.F) {
	src := fromText(f, example)
	data := make([]byte, src.Size())
	src.ReadAt(data, 0)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		Validate(r)
	})
}
