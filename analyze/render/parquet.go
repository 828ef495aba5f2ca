package render

import (
	"cmp"
	"io"
	"math"

	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/schema"

	"utrace/analyze"
)

// Limits of the memory of a ParquetWriter.
const (
	rowGroupRows  = 1 << 17   // about the unit of work of DuckDB and ClickHouse
	rowGroupBytes = 128 << 20 // of arguments and results
	batchRows     = 1 << 10   // passed on at once
)

// callColumn is a column of the file. One of the functions is set, and returns the value of a call;
// false means null, which only optional columns may have. A float is never null.
type callColumn struct {
	name     string
	optional bool
	logical  schema.LogicalType
	int32    func(*analyze.Call) (int32, bool)
	int64    func(*analyze.Call) (int64, bool)
	float64  func(*analyze.Call) float64
	text     func(*analyze.Call) (string, bool)
}

// callColumns are the columns of the file, in order. Integers are signed: not every engine has
// others.
func callColumns() []callColumn {
	number := func(name string, get func(*analyze.Call) int32) callColumn {
		return callColumn{name: name, int32: func(c *analyze.Call) (int32, bool) { return get(c), true }}
	}
	long := func(name string, get func(*analyze.Call) int64) callColumn {
		return callColumn{name: name, int64: func(c *analyze.Call) (int64, bool) { return get(c), true }}
	}
	text := func(name string, get func(*analyze.Call) string) callColumn {
		return callColumn{name: name, text: func(c *analyze.Call) (string, bool) { return get(c), true }}
	}
	complete := func(name string, get func(*analyze.Call) int64) callColumn {
		return callColumn{name: name, optional: true, int64: func(c *analyze.Call) (int64, bool) {
			return get(c), !c.Hit && c.State == analyze.Complete
		}}
	}
	certain := func(name string, get func(*analyze.Call) int64) callColumn {
		return callColumn{name: name, optional: true, int64: func(c *analyze.Call) (int64, bool) {
			return get(c), !c.Hit && c.State == analyze.Complete && !c.Uncertain
		}}
	}
	values := func(name string, get func(*analyze.Call) string) callColumn {
		return callColumn{name: name, optional: true, text: func(c *analyze.Call) (string, bool) { return get(c), get(c) != "" }}
	}
	begin := long("start_time", func(c *analyze.Call) int64 { return c.Begin.UnixMicro() })
	begin.logical = schema.NewTimestampLogicalType(true, schema.TimeUnitMicros) // Spark reads no nanoseconds
	goroutine := callColumn{name: "goroutine", optional: true, int64: func(c *analyze.Call) (int64, bool) {
		return int64(c.Thread.Goroutine), c.Thread.Goroutine != 0
	}}
	return []callColumn{
		text("trace", func(c *analyze.Call) string { return c.Trace }),
		text("host", func(c *analyze.Call) string { return c.Host }),
		begin,
		long("start_ns", func(c *analyze.Call) int64 { return int64(c.Start) }),
		certain("duration_ns", func(c *analyze.Call) int64 { return int64(c.Duration) }),
		complete("self_ns", func(c *analyze.Call) int64 { return int64(c.Self) }),
		long("total_ns", func(c *analyze.Call) int64 { return int64(c.Total) }),
		number("depth", func(c *analyze.Call) int32 { return int32(c.Depth) }),
		text("function", func(c *analyze.Call) string { return c.Function.Name }),
		text("module", func(c *analyze.Call) string { return c.Function.Module }),
		text("build_id", func(c *analyze.Call) string { return c.Function.BuildID }),
		long("address", func(c *analyze.Call) int64 { return int64(c.Function.Addr) }),
		text("file", func(c *analyze.Call) string { return c.Function.File }),
		number("line", func(c *analyze.Call) int32 { return int32(min(c.Function.Line, math.MaxInt32)) }),
		text("provider", func(c *analyze.Call) string { return c.Function.Provider() }),
		number("pid", func(c *analyze.Call) int32 { return int32(c.Thread.PID) }),
		number("tid", func(c *analyze.Call) int32 { return int32(c.Thread.TID) }),
		text("process", func(c *analyze.Call) string { return c.Process.Comm }),
		text("unit", func(c *analyze.Call) string { return c.Process.Unit }),
		text("container", func(c *analyze.Call) string { return c.Process.Container }),
		text("pod", func(c *analyze.Call) string { return c.Process.Pod }),
		text("thread", func(c *analyze.Call) string { return c.Thread.Comm }),
		goroutine,
		values("arguments", func(c *analyze.Call) string { return c.Arguments }),
		values("results", func(c *analyze.Call) string { return c.Results }),
		text("state", callState),
		{name: "weight", float64: func(c *analyze.Call) float64 { return c.Weight }},
	}
}

func callState(c *analyze.Call) string {
	switch {
	case c.Hit:
		return "hit"
	case c.Uncertain:
		return "uncertain"
	case c.State == analyze.Complete:
		return "complete"
	case c.State == analyze.Unwound:
		return "unwound"
	case c.State == analyze.Open:
		return "open"
	case c.State == analyze.Replaced:
		return "replaced"
	case c.State == analyze.Cut:
		return "cut"
	}
	return "noreturn"
}

// ParquetWriter writes calls into a Parquet file, a row for each call. A row group has each name
// once, and everything is compressed with zstd. Use NewParquetWriter.
type ParquetWriter struct {
	sink    *sink
	file    *file.Writer
	group   file.BufferedRowGroupWriter
	columns []columnBuffer
	rows    int // in the buffers
	groups  int // rows in the group, those in the buffers included
	bytes   int // of arguments and results in the group
}

// columnBuffer holds the values of a column that are not passed on yet.
type columnBuffer struct {
	callColumn
	int32s []int32
	int64s []int64
	floats []float64
	texts  []parquet.ByteArray
	levels []int16                      // 1 for a value, 0 for null
	names  map[string]parquet.ByteArray // of the row group
}

// NewParquetWriter makes a writer of calls. It must be closed.
func NewParquetWriter(w io.Writer) (*ParquetWriter, error) {
	p := &ParquetWriter{sink: &sink{w: w}}
	var fields schema.FieldList
	for _, c := range callColumns() {
		physical, logical := parquet.Types.Int64, c.logical
		switch {
		case c.int32 != nil:
			physical, logical = parquet.Types.Int32, schema.NewIntLogicalType(32, true)
		case c.text != nil:
			physical, logical = parquet.Types.ByteArray, schema.StringLogicalType{}
		case c.float64 != nil:
			physical, logical = parquet.Types.Double, schema.NoLogicalType{}
		case logical == nil:
			logical = schema.NewIntLogicalType(64, true)
		}
		repetition := parquet.Repetitions.Required
		if c.optional {
			repetition = parquet.Repetitions.Optional
		}
		node, err := schema.NewPrimitiveNodeLogical(c.name, repetition, logical, physical, 0, -1)
		if err != nil {
			return nil, err
		}
		fields = append(fields, node)
		p.columns = append(p.columns, columnBuffer{callColumn: c})
	}
	root, err := schema.NewGroupNode("call", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return nil, err
	}
	props := parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithDictionaryDefault(true),
		parquet.WithDictionaryFor("start_time", false), parquet.WithDictionaryFor("start_ns", false),
		parquet.WithDictionaryFor("duration_ns", false), parquet.WithDictionaryFor("self_ns", false), parquet.WithDictionaryFor("total_ns", false),
		parquet.WithCreatedBy("utrace"),
	)
	p.file = file.NewParquetWriter(p.sink, root, file.WithWriterProps(props))
	return p, p.sink.err
}

// Write adds a call.
func (p *ParquetWriter) Write(c *analyze.Call) error {
	if p.group == nil {
		p.group = p.file.AppendBufferedRowGroup()
		p.groups, p.bytes = 0, 0
		for i := range p.columns {
			p.columns[i].names = map[string]parquet.ByteArray{}
		}
	}
	for i := range p.columns {
		p.columns[i].add(c)
	}
	p.rows++
	p.groups++
	p.bytes += len(c.Arguments) + len(c.Results)
	if p.groups >= rowGroupRows || p.bytes >= rowGroupBytes {
		return p.endGroup()
	}
	if p.rows >= batchRows {
		return p.flush()
	}
	return nil
}

// add adds the value of a call to the buffer.
func (b *columnBuffer) add(c *analyze.Call) {
	ok := false
	switch {
	case b.int32 != nil:
		var v int32
		if v, ok = b.int32(c); ok {
			b.int32s = append(b.int32s, v)
		}
	case b.int64 != nil:
		var v int64
		if v, ok = b.int64(c); ok {
			b.int64s = append(b.int64s, v)
		}
	case b.float64 != nil:
		b.floats = append(b.floats, b.float64(c))
	default:
		var v string
		if v, ok = b.text(c); ok {
			b.texts = append(b.texts, b.bytes(v))
		}
	}
	if b.optional {
		level := int16(0)
		if ok {
			level = 1
		}
		b.levels = append(b.levels, level)
	}
}

// bytes returns a text as bytes. It keeps names, which come again, but not arguments.
func (b *columnBuffer) bytes(text string) parquet.ByteArray {
	if b.optional {
		return parquet.ByteArray(text)
	}
	v, ok := b.names[text]
	if !ok {
		v = parquet.ByteArray(text)
		b.names[text] = v
	}
	return v
}

// flush passes the buffers on.
func (p *ParquetWriter) flush() error {
	for i := range p.columns {
		b := &p.columns[i]
		w, err := p.group.Column(i)
		if err != nil {
			return err
		}
		switch w := w.(type) {
		case *file.Int32ColumnChunkWriter:
			_, err = w.WriteBatch(b.int32s, b.levels, nil)
		case *file.Int64ColumnChunkWriter:
			_, err = w.WriteBatch(b.int64s, b.levels, nil)
		case *file.Float64ColumnChunkWriter:
			_, err = w.WriteBatch(b.floats, b.levels, nil)
		case *file.ByteArrayColumnChunkWriter:
			_, err = w.WriteBatch(b.texts, b.levels, nil)
		}
		if err := cmp.Or(p.sink.err, err); err != nil {
			return err
		}
		b.int32s, b.int64s, b.floats, b.texts, b.levels = b.int32s[:0], b.int64s[:0], b.floats[:0], b.texts[:0], b.levels[:0]
	}
	p.rows = 0
	return nil
}

func (p *ParquetWriter) endGroup() error {
	if err := p.flush(); err != nil {
		return err
	}
	err := p.group.Close()
	p.group = nil
	return cmp.Or(p.sink.err, err)
}

// Close completes the file.
func (p *ParquetWriter) Close() error {
	if p.group != nil {
		if err := p.endGroup(); err != nil {
			return err
		}
	}
	err := p.file.Close()
	return cmp.Or(p.sink.err, err)
}

// sink keeps the first error of a writer: the Parquet library panics at some errors.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(b []byte) (int, error) {
	if s.err == nil {
		_, s.err = s.w.Write(b)
	}
	return len(b), nil
}
