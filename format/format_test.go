package format

import (
	"os"
	"path/filepath"
	"testing"
)

func TestQuick(t *testing.T) {
	f, _ := os.Create(filepath.Join(t.TempDir(), "a"))
	w, err := NewWriter(f, Meta{Host: "h"})
	if err != nil {
		t.Fatal(err)
	}
	m := w.AddModule(Module{Path: "/x"})
	fn := w.AddFunc(Func{Name: "f", Module: m})
	th := w.AddThread(Thread{PID: 1, TID: 2})
	for i := range 300000 {
		w.Append(Event{TimeNs: uint64(i) * 100, SP: 0x7fff0000, Thread: th, Func: fn, Kind: Kind(i % 2)})
	}
	if err := w.Close(End{Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	r, err := Open(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	d, _ := NewDecoder()
	var msg Message
	var b Batch
	var tab Tables
	n := 0
	for r.Next(&msg) == nil {
		if err := d.Decode(&msg, Columns{}, &b); err != nil {
			t.Fatal(err)
		}
		for _, def := range b.Defs {
			if err := tab.Apply(def); err != nil {
				t.Fatal(err)
			}
		}
		n += b.Rows
	}
	t.Log(n, r.Damage(), tab, w.Size())
}
