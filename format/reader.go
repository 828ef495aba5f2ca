package format

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
)

// Limits of the memory that a file may ask for, and of its columns.
const (
	maxMetadataBytes = 64 << 20
	maxBatchRows     = 4 << 20
	maxBodyBytes     = 1 << 30
	maxFields        = 64
)

// Sentinels of Open and NewReader.
var (
	// ErrNotTrace: the file is not an Arrow file, or utrace did not write it.
	ErrNotTrace = errors.New("not a utrace trace")
	// ErrNewer: the file has a later version of the format than Version.
	ErrNewer = errors.New("trace is of a newer format")
)

// magic opens and closes an Arrow file.
// https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format
const magic = "ARROW1"

// Message types and compression codecs of Message.fbs and their like.
const (
	messageSchema      = 1
	messageRecordBatch = 3
	codecZstd          = 1
	typeInt            = 2
	typeUtf8           = 5
)

// Reader reads a trace batch by batch, from front to back. It does not need the footer: it reads a
// file whose writer was killed up to the last complete batch.
type Reader struct {
	src    io.ReaderAt
	size   int64
	pos    int64
	close  func() error
	meta   Meta
	layout layout
	done   bool
	damage string
	watch  func(offset, size int64)
}

// layout says in which buffers of a batch each column lies.
type layout struct {
	fields int
	node   [numColumns]int // index among the fields, -1 if the file lacks the column
	data   [numColumns]int // index of the data (utf8: offsets) among the buffers
	total  int             // buffers in all
}

// Open opens the trace at path.
func Open(path string) (*Reader, error) {
	// O_NONBLOCK: opening a FIFO must not wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	r, err := NewReader(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.close = f.Close
	return r, nil
}

// NewReader reads the trace in the size bytes of src. For files that it cannot read it returns
// ErrNotTrace or ErrNewer, wrapped.
func NewReader(src io.ReaderAt, size int64) (*Reader, error) {
	r := &Reader{src: src, size: size, close: func() error { return nil }}
	head := make([]byte, 8)
	if n, err := src.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	} else if n == 0 {
		return nil, fmt.Errorf("%w: the file is empty", ErrNotTrace)
	} else if !IsTrace(head[:n]) {
		return nil, fmt.Errorf("%w: it does not start like an Arrow file", ErrNotTrace)
	}
	r.pos = 8
	var m Message
	err := r.next(&m)
	switch {
	case err == io.EOF:
		return nil, fmt.Errorf("%w: nothing was written to it yet", ErrNotTrace)
	case err != nil:
		return nil, fmt.Errorf("%w: its schema cannot be read: %w", ErrNotTrace, err)
	}
	if err := r.readSchema(m.meta); err != nil {
		return nil, err
	}
	return r, nil
}

// IsTrace reports whether a file may be a trace, by its first eight bytes.
func IsTrace(head []byte) bool { return bytes.HasPrefix(head, []byte(magic)) }

// Close closes the file that Open opened.
func (r *Reader) Close() error { return r.close() }

// Meta returns the facts that the recorder wrote at the start.
func (r *Reader) Meta() Meta { return r.meta }

// Damage says why the trace ends early, "" if it is complete. It is known once Next has returned
// io.EOF.
func (r *Reader) Damage() string { return r.damage }

// Offset returns the position in the file after the last message that was read, or at damage.
func (r *Reader) Offset() int64 { return r.pos }

// Watch makes Next report how far it has read, in bytes of the file.
func (r *Reader) Watch(progress func(offset, size int64)) { r.watch = progress }

// Message is an undecoded Arrow message. Once its Decode has returned, it may be reused for another
// Next.
type Message struct {
	meta, body []byte
	layout     *layout
	offset     int64
}

// Range returns where the message is in its file, from its first byte to the one after its last.
func (m *Message) Range() (from, to int64) {
	return m.offset, m.offset + 8 + int64(len(m.meta)) + int64(len(m.body))
}

// Next reads the next batch into m without decoding it. It returns io.EOF at the end of the file,
// even if the file was cut off or is damaged: see Damage and Resync.
func (r *Reader) Next(m *Message) error {
	if r.done {
		return io.EOF
	}
	err := r.next(m)
	if r.watch != nil {
		r.watch(r.pos, r.size)
	}
	if err == nil {
		var ferr error
		if flatRoot(m.meta, &ferr).byteField(1) != messageRecordBatch {
			err = fmt.Errorf("at byte %d: an unexpected kind of message", m.offset)
		}
	}
	if err != nil {
		r.done = true
		if err != io.EOF {
			r.damage = err.Error()
		}
		return io.EOF
	}
	m.layout = &r.layout
	return nil
}

// Fail ends the trace at a batch that cannot be used.
func (r *Reader) Fail(m *Message, err error) {
	r.done = true
	r.damage = fmt.Sprintf("at byte %d: %v", m.offset, err)
}

// next reads a message of any type. It returns io.EOF at the end-of-stream marker. If the file was
// cut off, the error says what is missing.
func (r *Reader) next(m *Message) error {
	m.offset = r.pos
	if r.pos == r.size {
		return errors.New("the recorder was stopped before it could finish the file")
	}
	var head [8]byte
	if _, err := r.src.ReadAt(head[:], r.pos); err != nil {
		return r.cutOff(err)
	}
	if binary.LittleEndian.Uint32(head[:]) != 0xffffffff {
		return fmt.Errorf("at byte %d: no message begins where one should", r.pos)
	}
	metaLen := int64(binary.LittleEndian.Uint32(head[4:]))
	if metaLen == 0 {
		return r.checkFooter()
	}
	if metaLen > r.size-r.pos-8 {
		return r.cutOff(io.ErrUnexpectedEOF)
	}
	if metaLen > maxMetadataBytes {
		return fmt.Errorf("at byte %d: a message header of %d bytes", r.pos, metaLen)
	}
	m.meta = grow(m.meta, int(metaLen))
	if _, err := r.src.ReadAt(m.meta, r.pos+8); err != nil {
		return r.cutOff(err)
	}
	var ferr error
	bodyLen := flatRoot(m.meta, &ferr).int64Field(3)
	switch {
	case ferr != nil:
		return fmt.Errorf("at byte %d: %w", r.pos, ferr)
	case bodyLen < 0 || bodyLen > maxBodyBytes:
		return fmt.Errorf("at byte %d: a message of %d bytes", r.pos, bodyLen)
	case bodyLen > r.size-r.pos-8-metaLen:
		return r.cutOff(io.ErrUnexpectedEOF)
	}
	end := r.pos + 8 + metaLen + bodyLen
	if r.swallows(end) {
		return fmt.Errorf("at byte %d: a part of a batch is missing", r.pos)
	}
	m.body = grow(m.body, int(bodyLen))
	if _, err := r.src.ReadAt(m.body, r.pos+8+metaLen); err != nil && bodyLen > 0 {
		return r.cutOff(err)
	}
	r.pos = end
	return nil
}

// checkFooter looks for the end of the file after the end of the stream. This Reader does not use
// the footer, but other programs need it.
func (r *Reader) checkFooter() error {
	tail := make([]byte, len(magic))
	if _, err := r.src.ReadAt(tail, r.size-int64(len(tail))); err != nil || string(tail) != magic {
		return errors.New("its footer is missing: nothing is lost, but other programs will not open the file")
	}
	return io.EOF
}

func (r *Reader) cutOff(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("it ends in the middle of a batch at byte %d: the recorder was stopped, or the file was cut", r.pos)
	}
	return fmt.Errorf("at byte %d: %w", r.pos, err)
}

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// readSchema checks the schema and finds the columns in it. It skips other columns: later writers
// may add some.
func (r *Reader) readSchema(meta []byte) error {
	var ferr error
	msg := flatRoot(meta, &ferr)
	if ferr == nil && msg.byteField(1) != messageSchema {
		return fmt.Errorf("%w: it does not begin with a schema", ErrNotTrace)
	}
	schema, ok := msg.table(2)
	if !ok {
		return fmt.Errorf("%w: it has no schema", ErrNotTrace)
	}
	values := map[string]string{}
	for _, kv := range schema.tables(2) {
		values[kv.stringField(0)] = kv.stringField(1)
	}
	fields := schema.tables(1)
	if ferr != nil {
		return fmt.Errorf("%w: its schema is damaged", ErrNotTrace)
	}
	text, ok := values[versionKey]
	if !ok {
		return fmt.Errorf("%w: an Arrow file that another program wrote", ErrNotTrace)
	}
	version, err := strconv.Atoi(text)
	if err != nil || version < 1 {
		return fmt.Errorf("%w: format version %q", ErrNotTrace, text)
	}
	if version > Version {
		return fmt.Errorf("%w: version %d, this utrace reads up to %d: use a newer utrace", ErrNewer, version, Version)
	}
	if err := json.Unmarshal([]byte(values[metaKey]), &r.meta); err != nil {
		return fmt.Errorf("%w: its metadata is damaged: %w", ErrNotTrace, err)
	}
	err = r.readColumns(fields)
	if ferr != nil {
		return fmt.Errorf("%w: its schema is damaged", ErrNotTrace)
	}
	return err
}

// readColumns finds the columns among the fields of the schema.
func (r *Reader) readColumns(fields []flatTable) error {
	if len(fields) > maxFields {
		return fmt.Errorf("%w: %d columns", ErrNotTrace, len(fields))
	}
	found := map[string]bool{}
	r.layout.fields = len(fields)
	for i, f := range fields {
		bits, signed := 0, false
		switch f.byteField(2) {
		case typeInt:
			if t, ok := f.table(3); ok {
				bits, signed = t.int32Field(0), t.byteField(1) != 0
			}
		case typeUtf8:
		default:
			return fmt.Errorf("%w: column %q is of an unknown type", ErrNotTrace, f.stringField(0))
		}
		name := f.stringField(0)
		for c, spec := range columnSpecs() {
			if spec.name == name && spec.bits == bits && !signed && !found[name] {
				found[name] = true
				r.layout.node[c] = i
				r.layout.data[c] = r.layout.total + 1
			}
		}
		r.layout.total += 2
		if bits == 0 {
			r.layout.total++
		}
	}
	for c, spec := range columnSpecs() {
		switch {
		case found[spec.name]:
		case column(c) == colArgs: // the first writers of version 1 did not write it
			r.layout.node[c] = -1
		default:
			return fmt.Errorf("%w: it has no column %q of the right type", ErrNotTrace, spec.name)
		}
	}
	return nil
}
