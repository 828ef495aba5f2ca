package format

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestUnorderedWithinBatch: a thread that moves from one CPU to another comes in two pieces.
func TestUnorderedWithinBatch(t *testing.T) {
	text := toText(t, fromText(t, example))
	shuffled := strings.Replace(example, "100 0 entry 0 sp=0x7ffe00001000\n", "", 1)
	shuffled = strings.Replace(shuffled, "flush\nloss", "100 0 entry 0 sp=0x7ffe00001000\nflush\nloss", 1)
	if got := toText(t, fromText(t, shuffled)); got != text {
		t.Errorf("got:\n%s\nwant:\n%s", got, text)
	}
}

// TestLongPause has an event after a silence that takes more rows than a batch may have.
func TestLongPause(t *testing.T) {
	const day = 24 * 3600e9
	text, _, _ := strings.Cut(example, "entry")
	text = text[:strings.LastIndex(text, "\n")+1]
	file := fromText(t, text+fmt.Sprintf("%d 0 entry 0\n", uint64(300*day)))
	r, err := NewReader(file, file.Size())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := WriteText(&out, r); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%d 0 entry 0", uint64(300*day)); !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, out.String())
	}
	if err := ReadText(strings.NewReader(text+"99999999999999999 0 entry 0\n"), &memFile{}); err == nil {
		t.Error("an event after years was read")
	}
}

// TestDiskFull fills the disk in each write: before its first byte, after it, in the middle, and
// before its last byte. What is left is a trace up to its last complete batch.
func TestDiskFull(t *testing.T) {
	f := &memFile{}
	if err := ReadText(strings.NewReader(example), f); err != nil {
		t.Fatal(err)
	}
	if len(f.ends) < 5 {
		t.Fatalf("%d writes", len(f.ends))
	}
	from := 0
	for _, end := range f.ends {
		for _, limit := range []int{from, from + 1, (from + end) / 2, end - 1} {
			if limit > 0 {
				fillDisk(t, limit)
			}
		}
		from = end
	}
}

func fillDisk(t *testing.T, limit int) {
	t.Helper()
	f := &memFile{limit: limit}
	if err := ReadText(strings.NewReader(example), f); !errors.Is(err, errFull) {
		t.Fatalf("limit %d: error %v", limit, err)
	}
	complete := 0 // what was written before
	for _, end := range f.ends {
		if end <= limit {
			complete = end
		}
	}
	if f.Len() != complete {
		t.Errorf("limit %d: %d bytes are left, want %d", limit, f.Len(), complete)
	}
	if complete > 0 {
		toText(t, bytes.NewReader(f.Bytes()))
	}
}
