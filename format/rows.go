package format

import (
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// rows are the columns of a batch being built.
type rows struct {
	deltaNs, thread, fn, stackBytes []uint32
	kind                            []uint8
	cpu                             []uint16
	value                           []uint64
	args                            []uint32 // number of a value of the batch, from 1; 0 for none
}

func (r *rows) reset() {
	r.deltaNs, r.thread, r.fn, r.stackBytes = r.deltaNs[:0], r.thread[:0], r.fn[:0], r.stackBytes[:0]
	r.kind, r.cpu, r.value, r.args = r.kind[:0], r.cpu[:0], r.value[:0], r.args[:0]
}

func (r *rows) add(deltaNs uint32, thread ThreadID, e Event) {
	e.Thread = thread
	r.addAt(deltaNs, 0, &e)
}

func (r *rows) addAt(deltaNs, stackBytes uint32, e *Event) {
	r.deltaNs = append(r.deltaNs, deltaNs)
	r.thread = append(r.thread, uint32(e.Thread))
	r.fn = append(r.fn, uint32(e.Func))
	r.kind = append(r.kind, uint8(e.Kind))
	r.cpu = append(r.cpu, e.CPU)
	r.stackBytes = append(r.stackBytes, stackBytes)
	r.value = append(r.value, e.Value)
	r.args = append(r.args, e.args)
}

// batch makes a batch of the rows. info is nil for events. args are the values of the events.
func (r *rows) batch(schema *arrow.Schema, info arrow.Array, args []string) arrow.Record {
	n := len(r.kind)
	if info == nil {
		info = array.MakeArrayOfNull(memory.DefaultAllocator, arrow.BinaryTypes.String, n)
		defer info.Release()
	}
	values := r.argsColumn(args)
	defer values.Release()
	cols := [numColumns]arrow.Array{colInfo: info, colArgs: values}
	specs := columnSpecs()
	for c, data := range map[column][]byte{
		colDeltaNs: bytesOf(r.deltaNs), colThread: bytesOf(r.thread), colFunc: bytesOf(r.fn), colKind: r.kind,
		colCPU: bytesOf(r.cpu), colStackBytes: bytesOf(r.stackBytes), colValue: bytesOf(r.value),
	} {
		d := array.NewData(specs[c].typ, n, []*memory.Buffer{nil, memory.NewBufferBytes(data)}, nil, 0, 0)
		cols[c] = array.MakeFromData(d)
		d.Release()
		defer cols[c].Release()
	}
	return array.NewRecord(schema, cols[:], int64(n))
}

// argsColumn returns the column of the values of the events.
func (r *rows) argsColumn(args []string) arrow.Array {
	n := len(r.kind)
	if len(args) == 0 || len(r.args) == 0 {
		return array.MakeArrayOfNull(memory.DefaultAllocator, arrow.BinaryTypes.String, n)
	}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(n)
	for _, i := range r.args {
		if i == 0 {
			b.AppendNull()
		} else {
			b.Append(args[i-1])
		}
	}
	return b.NewArray()
}

// bytesOf returns the memory of v. Arrow and all machines that utrace runs on are little-endian.
func bytesOf[T uint16 | uint32 | uint64](v []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(*new(T))))
}
