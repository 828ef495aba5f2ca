package format

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
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

// example has a row of every kind.
const example = `
meta {"recorder":"test","host":"h","kernel":"6.18","arch":"amd64","args":["utrace"],"cpus":2,"ring_bytes":4096,"start":{"mono_ns":5,"wall_ns":7}}
module {"path":"/bin/prog","build_id":"abcd","segments":[{"addr":4096,"file_off":4096,"size":100}]}
func {"name":"main","module":0,"addr":4096,"file":"main.c","line":3}
func {"name":"ns::work","symbol":"_ZN2ns4workEi","module":0,"addr":4112}
func {"name":"main+0x4","module":0,"addr":4100,"hit":true}
process {"pid":10,"comm":"prog","args":["prog","-x"],"cgroup":"/system.slice/web.service","unit":"web.service","container":"web","pod":"prod/shop"}
thread {"pid":10,"tid":10,"comm":"prog"}
thread {"pid":10,"tid":11,"comm":"worker"}
left-out {"name":"_start","module":"/bin/prog","addr":4000,"reason":"entry point"}
100 0 entry 0 sp=0x7ffe00001000
150 0 hit 2 sp=0x7ffe00001000
200 0 entry 1 sp=0x7ffe00000f00 cpu=1
210 0 tail-entry 1 sp=0x7ffe00000f00 cpu=1
120 1 entry 1 sp=0x7f0000001000
220 0 sched-out 0 value=0x1 cpu=1
240 0 wakeup 0 value=0x10000000b
250 0 sched-in 0 cpu=1
260 0 sample 0 value=0x2 cpu=1
300 0 return 1 sp=0x7ffe00000f00 value=0xffffffffffffffff cpu=1
flush
loss {"cpu":1,"first_ns":400,"last_ns":500,"entries":3,"returns":2,"sched":4}
probe-set {"funcs":[2]}
window {"set":0,"from_ns":100,"to_ns":600,"off_ns":650,"cpu_ns":400,"all":true}
survey {"module":0,"funcs":3,"cpu_ns":4000,"cost_ns":200}
20000000000 1 return 1 sp=0x7f0000001000 value=0x7
20000000100 1 entry 1 sp=0x55d000000000
20000000200 1 entry 1 value=0x2
20000000300 1 exit 0 value=1 args=["ls"]
flush
stack {"func":0,"addr":4105,"line":4}
stack {"func":1,"addr":4120,"outer":1}
end {"stop":{"mono_ns":30000000005,"wall_ns":30000000007},"reason":"test","events":0,"entries":0,"lost":5,"func_lost":[{"func":1,"entries":3,"returns":2}]}
`

// The documentation of the format lists every kind of row there is.
func TestKindsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(strings.ReplaceAll(string(doc), "//", " ")), " ")
	for kind, text := range kindNames() {
		name := ""
		for word := range strings.SplitSeq(text, "-") {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		if want := fmt.Sprintf(" %d %s", kind, name); !strings.Contains(words, want+" ") && !strings.Contains(words, want+",") && !strings.Contains(words, want+".") {
			t.Errorf("no %q", want)
		}
	}
	if !strings.Contains(words, "inside_ns") {
		t.Error("no inside_ns")
	}
}

func fromText(t testing.TB, text string) *bytes.Reader {
	t.Helper()
	f := &memFile{}
	if err := ReadText(strings.NewReader(text), f); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(f.Bytes())
}

func toText(t testing.TB, src *bytes.Reader) string {
	t.Helper()
	r, err := NewReader(src, src.Size())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteText(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextRoundTrip(t *testing.T) {
	once := toText(t, fromText(t, example))
	if twice := toText(t, fromText(t, once)); once != twice {
		t.Errorf("text changed on its way through a trace:\n%s\n%s", once, twice)
	}
	for _, want := range []string{
		"100 0 entry 0 sp=0x7ffe00001000\n150 0 hit 2",
		"300 0 return 1 sp=0x7ffe00000f00 value=0xffffffffffffffff cpu=1\n120 1 entry 1 sp=0x7f0000001000\n",
		"20000000000 1 return 1 sp=0x7f0000001000 value=0x7\n20000000100 1 entry 1 sp=0x55d000000000\n20000000200 1 entry 1 value=0x2\n20000000300 1 exit 0 value=0x1 args=[\"ls\"]\n",
		"220 0 sched-out 0 value=0x1 cpu=1\n240 0 wakeup 0 value=0x10000000b\n250 0 sched-in 0 cpu=1\n260 0 sample 0 value=0x2 cpu=1\n",
		`stack {"func":0,"addr":4105,"line":4}` + "\n" + `stack {"func":1,"addr":4120,"outer":1}` + "\n",
		`"events":9,"entries":6,"sched":3`,
		`"samples":1`,
	} {
		if !strings.Contains(once, want) {
			t.Errorf("%q is not in:\n%s", want, once)
		}
	}
}

func TestValidate(t *testing.T) {
	src := fromText(t, example)
	r, err := NewReader(src, src.Size())
	if err != nil {
		t.Fatal(err)
	}
	if err := Validate(r); err != nil {
		t.Error(err)
	}
	for name, change := range map[string][2]string{
		"unknown function":  {"entry 0 ", "entry 7 "},
		"hit of a function": {"hit 2", "hit 1"},
		"unknown stack":     {"cpu=1\n210", "cpu=1 value=3\n210"},
		"value of a hit":    {"hit 2 sp=0x7ffe00001000", "hit 2 sp=0x7ffe00001000 value=1"},
		"stack too deep":    {"stack {", chain(MaxStack+1) + "stack {"},
		"unknown process":   {`thread {"pid":10,"tid":11`, `thread {"pid":12,"tid":11`},
		"unit of no group":  {`"cgroup":"/system.slice/web.service",`, ``},
		"loss of nothing":   {`"entries":3,"returns":2,"sched":4}`, `"entries":0,"returns":0}`},
		"switch of a call":  {"sched-out 0 ", "sched-out 1 "},
		"stack of a switch": {"250 0 sched-in 0 ", "250 0 sched-in 0 sp=0x7ffe00000f00 "},
		"value of a switch": {"250 0 sched-in 0 ", "250 0 sched-in 0 value=1 "},
		"sample of a call":  {"sample 0", "sample 1"},
		"sample at a depth": {"sample 0", "sample 0 sp=0x7ffe00000f00"},
		"unknown sample":    {"sample 0 value=0x2", "sample 0 value=0x3"},
		"exit of a call":    {"exit 0", "exit 1"},
		"program of an end": {"exit 0 value=1", "exit 0"},
		"unknown in set":    {`probe-set {"funcs":[2`, `probe-set {"funcs":[9`},
		"window backwards":  {`"to_ns":600`, `"to_ns":60`},
		"window too short":  {`"off_ns":650`, `"off_ns":65`},
		"no end":            {example[strings.Index(example, "end {"):], ""},
	} {
		text := strings.Replace(example, change[0], change[1], 1)
		if text == example {
			t.Fatalf("%s: nothing changed", name)
		}
		src := fromText(t, text)
		r, err := NewReader(src, src.Size())
		if err != nil {
			t.Fatal(err)
		}
		if err := Validate(r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// chain is the definitions of a stack of n places.
func chain(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "stack {\"func\":0,\"addr\":1,\"outer\":%d}\n", i)
	}
	return b.String()
}

// TestStacks: the chain of callers of a stack ends, whatever a trace says.
func TestStacks(t *testing.T) {
	for name, change := range map[string][2]string{
		"":                                    {"", ""},
		"its caller 2 was not defined before": {`"outer":1`, `"outer":2`},
		"its caller 9 was not defined before": {`"outer":1`, `"outer":9`},
		"it is in the unknown function 3":     {`stack {"func":0`, `stack {"func":3`},
	} {
		src := fromText(t, strings.Replace(example, change[0], change[1], 1))
		r, err := NewReader(src, src.Size())
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteText(&strings.Builder{}, r); name == "" && err != nil || name != "" && (err == nil || !strings.Contains(err.Error(), name)) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}

// TestArrowReadsIt reads the file by its footer with Arrow's own reader.
func TestArrowReadsIt(t *testing.T) {
	r, err := ipc.NewFileReader(fromText(t, example))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if v, _ := r.Schema().Metadata().GetValue("utrace.version"); v != "1" {
		t.Errorf("version %q", v)
	}
	kinds := map[uint8]int{}
	timeNs := map[uint32]uint64{}
	for i := range r.NumRecords() {
		rec, err := r.Record(i)
		if err != nil {
			t.Fatal(err)
		}
		for row := range int(rec.NumRows()) {
			kinds[rec.Column(3).(*array.Uint8).Value(row)]++
			timeNs[rec.Column(1).(*array.Uint32).Value(row)] += uint64(rec.Column(0).(*array.Uint32).Value(row))
		}
	}
	want := map[uint8]int{0: 5, 1: 2, 2: 1, 3: 1, 4: 4, 5: 3, 6: 1, 7: 1, 8: 1, 11: 1, 12: 1, 16: 1, 17: 3, 18: 1, 19: 2, 20: 1, 21: 1, 22: 1, 26: 2, 27: 1, 28: 1, 29: 1}
	if !reflect.DeepEqual(kinds, want) {
		t.Errorf("kinds %v, want %v", kinds, want)
	}
	if want := map[uint32]uint64{0: 300, 1: 20000000300}; !reflect.DeepEqual(timeNs, want) {
		t.Errorf("sums of delta_ns %v, want %v", timeNs, want)
	}
}

// TestUnorderedWithinBatch: a thread that moves from one CPU to another comes in two pieces.
func TestUnorderedWithinBatch(t *testing.T) {
	text := toText(t, fromText(t, example))
	shuffled := strings.Replace(example, "100 0 entry 0 sp=0x7ffe00001000\n", "", 1)
	shuffled = strings.Replace(shuffled, "flush\nloss", "100 0 entry 0 sp=0x7ffe00001000\nflush\nloss", 1)
	if got := toText(t, fromText(t, shuffled)); got != text {
		t.Errorf("got:\n%s\nwant:\n%s", got, text)
	}
}

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

// FuzzText parses damaged text.
func FuzzText(f *testing.F) {
	f.Add(example)
	f.Fuzz(func(t *testing.T, text string) {
		out := &memFile{}
		if ReadText(strings.NewReader(text), out) != nil {
			return
		}
		if out.Len() == 0 { // nothing but meta
			return
		}
		r, err := NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		err = WriteText(&strings.Builder{}, r)
		if err != nil && !strings.Contains(err.Error(), "definition of a stack") { // other tests need text with bad stacks
			t.Fatal(err)
		}
	})
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

func TestOnlyCalls(t *testing.T) {
	for n := range 20 {
		b := Batch{Kind: make([]uint8, n)}
		for i := range b.Kind {
			b.Kind[i] = uint8(i % 4)
		}
		if !b.OnlyCalls() {
			t.Errorf("%d calls: no", n)
		}
		for i := range n {
			for _, k := range []Kind{Pause, StackBase, SchedIn, Wakeup, Exit, Sample, KindModule, 128} {
				was := b.Kind[i]
				if b.Kind[i] = uint8(k); b.OnlyCalls() {
					t.Errorf("kind %d in row %d of %d: yes", k, i, n)
				}
				b.Kind[i] = was
			}
		}
	}
}
