package format

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// messages reads all messages of a trace, without decoding them.
func messages(r *Reader) (list []Message) {
	for {
		var m Message
		if r.Next(&m) != nil {
			return list
		}
		list = append(list, m)
	}
}

// TestCutOff cuts a trace at every byte: the rest is read as a prefix of the whole, or refused with
// an error that says so. Reading a cut trace stops at the first incomplete message. So each cut is
// checked to have exactly the messages before it, byte for byte, and their text once for each
// number of messages.
func TestCutOff(t *testing.T) {
	whole := fromText(t, example)
	data := make([]byte, whole.Size())
	whole.ReadAt(data, 0)
	full := toText(t, whole)
	r, err := NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	all := messages(r)
	texts := 0
	for n := range data {
		cut := bytes.NewReader(data[:n])
		r, err := NewReader(cut, int64(n))
		if err != nil {
			if !errors.Is(err, ErrNotTrace) {
				t.Fatalf("cut at %d: %v", n, err)
			}
			continue
		}
		read := messages(r)
		if r.Damage() == "" {
			t.Fatalf("cut at %d: not noticed", n)
		}
		for i, m := range read {
			if !bytes.Equal(m.meta, all[i].meta) || !bytes.Equal(m.body, all[i].body) {
				t.Fatalf("cut at %d: message %d is not that of the whole", n, i)
			}
		}
		if k := len(read); k < len(all) && int(all[k].offset)+8+len(all[k].meta)+len(all[k].body) <= n {
			t.Fatalf("cut at %d: message %d is missing", n, k)
		}
		if len(read) < texts {
			continue
		}
		texts = len(read) + 1
		if text := toText(t, cut); !strings.HasPrefix(full, text) {
			t.Fatalf("cut at %d: not a prefix:\n%s", n, text)
		}
	}
	if texts != len(all)+1 {
		t.Errorf("text was read of up to %d messages, want %d", texts-1, len(all))
	}
}
