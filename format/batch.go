package format

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"unsafe"

	"github.com/klauspost/compress/zstd"
)

// Batch is a decoded batch: either events, in the columns, or definitions. Columns that were not
// asked for are empty.
type Batch struct {
	Rows       int
	DeltaNs    []uint32
	Thread     []uint32
	Func       []uint32
	Kind       []uint8
	CPU        []uint16
	StackBytes []uint32
	Value      []uint64
	Defs       []Definition

	argEnds []uint32 // see Args: row r has argText[argEnds[r]:argEnds[r+1]]; empty without args
	argText []byte

	bufs [numColumns][]byte
}

// Definition is a row that is not an event.
type Definition struct {
	Kind Kind
	ID   uint32 // of modules, functions and threads
	Info []byte // JSON
}

// Columns selects the columns that a Decoder decodes in addition to time, thread, function, kind
// and stack, which every analysis needs.
type Columns struct {
	CPU   bool
	Value bool // decoded anyway in batches with stack bases
	Args  bool
	None  bool // decode definitions only: a batch of events has no rows
}

// Args returns the JSON array of the values of the event in a row, empty if it has none. It is
// valid as long as the batch.
func (b *Batch) Args(row int) []byte {
	if len(b.argEnds) == 0 {
		return nil
	}
	return b.argText[b.argEnds[row]:b.argEnds[row+1]]
}

// Decoder decodes messages. A Decoder must be used by one goroutine at a time. Several Decoders may
// decode messages of one Reader at the same time.
type Decoder struct {
	zstd *zstd.Decoder
	bufs []bufferSpec
}

type bufferSpec struct{ offset, length int64 }

// NewDecoder makes a Decoder.
func NewDecoder() (*Decoder, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, err
	}
	return &Decoder{zstd: z}, nil
}

// Close frees the decoder.
func (d *Decoder) Close() { d.zstd.Close() }

// Decode decodes m into b, and reuses the memory of b. All columns that it fills have b.Rows
// elements. Nothing else about their contents is checked.
func (d *Decoder) Decode(m *Message, cols Columns, b *Batch) error {
	*b = Batch{bufs: b.bufs}
	var ferr error
	msg := flatRoot(m.meta, &ferr)
	rb, ok := msg.table(2)
	if !ok {
		return errFlatbuf
	}
	rows := rb.int64Field(0)
	if rows < 0 || rows > maxBatchRows {
		return fmt.Errorf("a batch of %d rows", rows)
	}
	b.Rows = int(rows)
	nodes, n := rb.vector(1, 16)
	if n != m.layout.fields {
		return errFlatbuf
	}
	start, n := rb.vector(2, 16)
	if n != m.layout.total {
		return errFlatbuf
	}
	d.bufs = d.bufs[:0]
	for i := range n {
		s := bufferSpec{rb.i64(start + 16*i), rb.i64(start + 16*i + 8)}
		if s.offset < 0 || s.length < 0 || s.offset > int64(len(m.body)) || s.length > int64(len(m.body))-s.offset {
			return errFlatbuf
		}
		d.bufs = append(d.bufs, s)
	}
	if events := rows > 0 && rb.i64(nodes+16*m.layout.node[colInfo]+8) == rows; events && cols.None && ferr == nil {
		b.Rows = 0
		return nil
	}
	compressed := false
	if c, ok := rb.table(3); ok {
		if codec := c.byteField(0); codec != codecZstd {
			return fmt.Errorf("compressed with codec %d, not zstd", codec)
		}
		compressed = true
	}
	for c, spec := range columnSpecs() {
		if m.layout.node[c] < 0 {
			continue
		}
		node := nodes + 16*m.layout.node[c]
		if rb.i64(node) != rows || ferr != nil {
			return errFlatbuf
		}
		nulls := rb.i64(node + 8)
		if spec.bits > 0 && nulls != 0 {
			return fmt.Errorf("column %s has nulls", spec.name)
		}
		if nulls == rows { // info, of a batch of events
			continue
		}
		if column(c) == colCPU && !cols.CPU || column(c) == colInfo || column(c) == colArgs && !cols.Args {
			continue
		}
		if column(c) == colArgs {
			ends, text, err := d.texts(m, m.layout.data[c], compressed, b.Rows)
			if err != nil {
				return fmt.Errorf("column %s: %w", spec.name, err)
			}
			b.argEnds, b.argText = ends, text
			continue
		}
		if column(c) == colValue && !cols.Value && !b.needsValue() {
			continue
		}
		data, err := d.buffer(m, m.layout.data[c], compressed, rows*int64(spec.bits/8), b.bufs[c])
		if err != nil {
			return fmt.Errorf("column %s: %w", spec.name, err)
		}
		b.bufs[c] = data
		b.setColumn(column(c), data)
	}
	infoNode := nodes + 16*m.layout.node[colInfo]
	if rows > 0 && rb.i64(infoNode+8) != rows {
		return d.definitions(m, compressed, b)
	}
	return nil
}

// needsValue reports whether the other columns of the batch depend on values. Columns are decoded
// in order: the value comes after the kind.
func (b *Batch) needsValue() bool {
	if b.OnlyCalls() {
		return false
	}
	for _, k := range b.Kind {
		if Kind(k) > Pause {
			return true
		}
	}
	return false
}

// OnlyCalls reports whether all rows are of the kinds Entry, Return, TailEntry and Hit. It looks at
// eight rows at a time.
func (b *Batch) OnlyCalls() bool {
	kinds, all := b.Kind, uint64(0)
	for ; len(kinds) >= 8; kinds = kinds[8:] {
		all |= binary.LittleEndian.Uint64(kinds)
	}
	for _, k := range kinds {
		all |= uint64(k)
	}
	const others = 0xff &^ uint64(Entry|Return|TailEntry|Hit)
	return all&(others*0x0101010101010101) == 0
}

func (b *Batch) setColumn(c column, data []byte) {
	switch c {
	case colDeltaNs:
		b.DeltaNs = sliceOf[uint32](data)
	case colThread:
		b.Thread = sliceOf[uint32](data)
	case colFunc:
		b.Func = sliceOf[uint32](data)
	case colKind:
		b.Kind = data
	case colCPU:
		b.CPU = sliceOf[uint16](data)
	case colStackBytes:
		b.StackBytes = sliceOf[uint32](data)
	case colValue:
		b.Value = sliceOf[uint64](data)
	}
}

// definitions reads the info column. The whole batch must be definitions.
func (d *Decoder) definitions(m *Message, compressed bool, b *Batch) error {
	ends, text, err := d.texts(m, m.layout.data[colInfo], compressed, b.Rows)
	if err != nil {
		return fmt.Errorf("column info: %w", err)
	}
	for i := range b.Rows {
		if !Kind(b.Kind[i]).IsDefinition() {
			return errors.New("definitions and events in one batch")
		}
		b.Defs = append(b.Defs, Definition{Kind(b.Kind[i]), uint32(b.Value[i]), text[ends[i]:ends[i+1]]})
	}
	return nil
}

// texts reads a column of utf8 whose offsets are buffer i of m. It checks that each row r is a
// text[ends[r]:ends[r+1]].
func (d *Decoder) texts(m *Message, i int, compressed bool, rows int) (ends []uint32, text []byte, err error) {
	offsets, err := d.buffer(m, i, compressed, int64(rows+1)*4, nil)
	if err != nil {
		return nil, nil, err
	}
	if text, err = d.buffer(m, i+1, compressed, -1, nil); err != nil {
		return nil, nil, err
	}
	ends = sliceOf[uint32](offsets)
	for r := range rows {
		if ends[r] > ends[r+1] || int64(ends[r+1]) > int64(len(text)) {
			return nil, nil, errors.New("offsets are damaged")
		}
	}
	return ends, text, nil
}

// buffer returns buffer i of m, decompressed, in the memory of dst if that is large enough. want is
// its size in bytes, -1 for any size.
func (d *Decoder) buffer(m *Message, i int, compressed bool, want int64, dst []byte) ([]byte, error) {
	s := d.bufs[i]
	raw := m.body[s.offset : s.offset+s.length]
	if want == 0 {
		return nil, nil
	}
	size := int64(len(raw))
	if compressed && size >= 8 {
		size = int64(binary.LittleEndian.Uint64(raw))
		raw = raw[8:]
		if size == -1 { // stored as it is
			size, compressed = int64(len(raw)), false
		}
	} else if compressed && want < 0 && size == 0 {
		return nil, nil
	}
	if want >= 0 && size < want || size < 0 || size > maxBatchRows*8 {
		return nil, fmt.Errorf("%d bytes instead of %d", size, want)
	}
	// The copy also aligns the data: a body may begin anywhere.
	dst = grow(dst, int(size)+zstdSlack)[:0]
	if !compressed {
		dst = append(dst, raw...)
	} else {
		var err error
		if dst, err = d.zstd.DecodeAll(raw, dst); err != nil {
			return nil, err
		}
	}
	if int64(len(dst)) != size {
		return nil, fmt.Errorf("%d bytes instead of %d", len(dst), size)
	}
	if want >= 0 {
		dst = dst[:want]
	}
	return dst, nil
}

// zstdSlack is the spare room of a buffer after the decoded bytes. With room for one more block,
// 128 KiB, and 16 bytes, the decoder copies faster.
const zstdSlack = 128<<10 + 16

// sliceOf gives the memory of data another type. The Go allocator has aligned it.
func sliceOf[T uint16 | uint32 | uint64](data []byte) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/int(unsafe.Sizeof(*new(T))))
}

// Apply adds a definition to the tables. Modules, functions and threads must come in the order of
// their numbers.
func (t *Tables) Apply(d Definition) error {
	var err error
	switch d.Kind {
	case KindModule:
		t.Modules, err = appendJSON(t.Modules, d, true)
	case KindFunc:
		t.Funcs, err = appendJSON(t.Funcs, d, true)
		if err == nil {
			if f := t.Funcs[len(t.Funcs)-1]; int(f.Module) >= len(t.Modules) {
				err = fmt.Errorf("function %q is in the unknown module %d", f.Name, f.Module)
			}
		}
	case KindProcess:
		t.Processes, err = appendJSON(t.Processes, d, false)
	case KindThread:
		t.Threads, err = appendJSON(t.Threads, d, true)
	case KindLoss:
		t.Losses, err = appendJSON(t.Losses, d, false)
	case KindLeftOut:
		t.LeftOut, err = appendJSON(t.LeftOut, d, false)
	case KindDropped:
		t.Dropped, err = appendJSON(t.Dropped, d, false)
	case KindCalibration:
		t.Calibrations, err = appendJSON(t.Calibrations, d, false)
	case KindStack:
		err = t.addStack(d)
	case KindSurvey:
		t.Surveys, err = appendJSON(t.Surveys, d, false)
		if err == nil && int(t.Surveys[len(t.Surveys)-1].Module) >= len(t.Modules) {
			err = errors.New("it is of an unknown module")
		}
	case KindProbeSet:
		t.ProbeSets, err = appendJSON(t.ProbeSets, d, true)
	case KindWindow:
		t.Windows, err = appendJSON(t.Windows, d, false)
		if err == nil && int(t.Windows[len(t.Windows)-1].Set) >= len(t.ProbeSets) {
			err = errors.New("it is of an unknown set")
		}
	case KindEnd:
		t.End = new(End)
		err = json.Unmarshal(d.Info, t.End)
	default: // a definition of a later version
	}
	if err != nil {
		return fmt.Errorf("definition of a %s: %w", d.Kind, err)
	}
	return nil
}

// addStack adds a stack. Its caller must have been defined before it: so the chain of callers ends.
func (t *Tables) addStack(d Definition) error {
	d.ID-- // they count from 1
	stacks, err := appendJSON(t.Stacks, d, true)
	if err != nil {
		return err
	}
	switch s := stacks[len(stacks)-1]; {
	case int(s.Func) >= len(t.Funcs):
		return fmt.Errorf("it is in the unknown function %d", s.Func)
	case int(s.Outer) >= len(stacks):
		return fmt.Errorf("its caller %d was not defined before", s.Outer)
	}
	t.Stacks = stacks
	return nil
}

func appendJSON[T any](list []T, d Definition, numbered bool) ([]T, error) {
	if numbered && int(d.ID) != len(list) {
		return list, fmt.Errorf("number %d, but %d comes next", d.ID, len(list))
	}
	var v T
	if err := json.Unmarshal(d.Info, &v); err != nil {
		return list, err
	}
	return append(list, v), nil
}
