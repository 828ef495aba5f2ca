package format

import (
	"github.com/apache/arrow/go/v15/arrow"
)

// Version is the version of the format that this package writes. Readers refuse later versions.
const Version = 1

// Keys of the schema's metadata.
const (
	versionKey = "utrace.version" // decimal Version
	metaKey    = "utrace"         // Meta as JSON
	docKey     = "doc"            // on a field: meaning of the column
)

// column is an index into the columns of the schema.
type column int

const (
	colDeltaNs column = iota
	colThread
	colFunc
	colKind
	colCPU
	colStackBytes
	colValue
	colInfo
	colArgs
	numColumns
)

// columnSpec describes one column, for the writer and the reader.
type columnSpec struct {
	name string
	typ  arrow.DataType
	bits int // width of the integer, 0 for utf8
	doc  string
}

func columnSpecs() [numColumns]columnSpec {
	return [numColumns]columnSpec{
		colDeltaNs:    {"delta_ns", arrow.PrimitiveTypes.Uint32, 32, "nanoseconds since the previous row of the same thread; the running sum over a thread is the time since the start"},
		colThread:     {"thread", arrow.PrimitiveTypes.Uint32, 32, "thread, see the rows of kind 19"},
		colFunc:       {"func", arrow.PrimitiveTypes.Uint32, 32, "function, see the rows of kind 17"},
		colKind:       {"kind", arrow.PrimitiveTypes.Uint8, 8, "0 entry, 1 return, 2 entry by tail call, 3 hit, 4 pause, 5 stack base, 6 sched-out, 7 sched-in, 8 wakeup, 9 dropped return, 10 displaced, 11 exit, 12 sample; 16 module, 17 func, 18 process, 19 thread, 20 loss, 21 left out, 22 end, 23 taken off, 24 calibration, 25 dropped, 26 stack"},
		colCPU:        {"cpu", arrow.PrimitiveTypes.Uint16, 16, "processor"},
		colStackBytes: {"stack_bytes", arrow.PrimitiveTypes.Uint32, 32, "bytes from the stack pointer at the function's entry up to the thread's stack base: deeper is larger, 0 is unknown"},
		colValue:      {"value", arrow.PrimitiveTypes.Uint64, 64, "return value of a return, base address of a stack base, state of a sched-out, waker of a wakeup, stack of an entry or a sample (the number of a row of kind 26)"},
		colInfo:       {"info", arrow.BinaryTypes.String, 0, "JSON of a definition, null for events"},
		colArgs:       {"args", arrow.BinaryTypes.String, 0, "JSON array of the values that an event carries, in the order of its function's args; null if it carries none"},
	}
}

func newSchema(meta string, version string) *arrow.Schema {
	var fields []arrow.Field
	for _, spec := range columnSpecs() {
		fields = append(fields, arrow.Field{
			Name:     spec.name,
			Type:     spec.typ,
			Nullable: spec.bits == 0,
			Metadata: arrow.MetadataFrom(map[string]string{docKey: spec.doc}),
		})
	}
	md := arrow.NewMetadata([]string{versionKey, metaKey}, []string{version, meta})
	return arrow.NewSchema(fields, &md)
}
