package columnar

import (
	"cmp"
	"io"

	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/schema"
)

// Limits of the memory of a Writer.
const (
	GroupRows  = 1 << 17   // of a row group: about the unit of work of DuckDB and ClickHouse
	groupBytes = 128 << 20 // of a row group: optional texts, and lists
	batchRows  = 1 << 10   // passed on at once
)

// Writer writes a Parquet file, a row for each value. Use NewWriter.
type Writer[T any] struct {
	sink    *sink
	file    *file.Writer
	group   file.BufferedRowGroupWriter
	buffers []buffer[T]
	rows    int // in the buffers
	grouped int // rows in the group, those in the buffers included
	bytes   int // in the group, without those in the buffers
}

// NewWriter makes a writer of the columns. It must be closed.
func NewWriter[T any](w io.Writer, name string, columns []Column[T]) (*Writer[T], error) {
	p := &Writer[T]{sink: &sink{w: w}}
	options := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Snappy), parquet.WithDictionaryDefault(true), parquet.WithCreatedBy("utrace"),
	}
	var fields schema.FieldList
	for _, c := range columns {
		node, err := c.node(c.name)
		if err != nil {
			return nil, err
		}
		fields = append(fields, node)
		p.buffers = append(p.buffers, c.buffer())
		if c.codec != compress.Codecs.Snappy {
			options = append(options, parquet.WithCompressionFor(c.name, c.codec))
		}
		if !c.repeats {
			options = append(options, parquet.WithDictionaryFor(c.name, false))
		}
	}
	root, err := schema.NewGroupNode(name, parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return nil, err
	}
	p.file = file.NewParquetWriter(p.sink, root, file.WithWriterProps(parquet.NewWriterProperties(options...)))
	return p, p.sink.err
}

// Write adds a row. It does not keep the value.
func (p *Writer[T]) Write(row *T) error {
	if p.group == nil {
		p.group = p.file.AppendBufferedRowGroup()
		p.grouped, p.bytes = 0, 0
	}
	held := 0
	for _, b := range p.buffers {
		b.add(row)
		held += b.held()
	}
	p.rows++
	p.grouped++
	if p.grouped >= GroupRows || p.bytes+held >= groupBytes {
		return p.EndGroup()
	}
	if p.rows >= batchRows {
		p.bytes += held
		return p.flush()
	}
	return nil
}

// Grouped returns the number of rows in the row group that is being written.
func (p *Writer[T]) Grouped() int {
	if p.group == nil {
		return 0
	}
	return p.grouped
}

// EndGroup ends the row group, so that the next row begins another.
func (p *Writer[T]) EndGroup() error {
	if p.group == nil {
		return nil
	}
	if err := p.flush(); err != nil {
		return err
	}
	err := p.group.Close()
	p.group = nil
	return cmp.Or(p.sink.err, err)
}

// flush passes the buffers on.
func (p *Writer[T]) flush() error {
	for i, b := range p.buffers {
		w, err := p.group.Column(i)
		if err != nil {
			return err
		}
		if err := cmp.Or(p.sink.err, b.flush(w)); err != nil {
			return err
		}
	}
	p.rows = 0
	return nil
}

// Close completes the file. It does not close what the file was written to.
func (p *Writer[T]) Close() error {
	if err := p.EndGroup(); err != nil {
		return err
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
