package columnar

import (
	"fmt"

	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
)

// writer is where a column of a row group goes.
type writer = file.ColumnChunkWriter

// values are numbers, or true and false.
type values[T, V any] struct {
	get      func(*T) (V, bool)
	write    func(w writer, list []V, definition, repetition []int16) error
	optional bool
	list     []V
	levels   []int16 // 1 for a value, 0 for null
}

func (b *values[T, V]) add(row *T) {
	v, ok := b.get(row)
	if ok {
		b.list = append(b.list, v)
	}
	if b.optional {
		b.levels = append(b.levels, level(ok))
	}
}

func (b *values[T, V]) held() int { return 0 }

func (b *values[T, V]) flush(w writer) error {
	err := b.write(w, b.list, b.levels, nil)
	b.list, b.levels = b.list[:0], b.levels[:0]
	return err
}

// texts are texts.
type texts[T any] struct {
	get      func(*T) string
	optional bool
	list     []parquet.ByteArray
	levels   []int16
	bytes    int
	known    map[string]parquet.ByteArray // the texts in list
}

func (b *texts[T]) add(row *T) {
	v := b.get(row)
	if b.optional {
		b.levels = append(b.levels, level(v != ""))
		if v == "" {
			return
		}
		b.bytes += len(v)
	}
	text, ok := b.known[v]
	if !ok {
		text = parquet.ByteArray(v)
		b.known[v] = text
	}
	b.list = append(b.list, text)
}

func (b *texts[T]) held() int { return b.bytes }

func (b *texts[T]) flush(w writer) error {
	to, ok := w.(*file.ByteArrayColumnChunkWriter)
	if !ok {
		return fmt.Errorf("a column of %T has texts", w)
	}
	_, err := to.WriteBatch(b.list, b.levels, nil)
	clear(b.list)
	clear(b.known)
	b.list, b.levels, b.bytes = b.list[:0], b.levels[:0], 0
	return err
}

// lists are lists of numbers. Their levels are those of Dremel: the definition is 1 for an element and
// 0 for an empty list, the repetition 1 for each element after the first.
type lists[T, V any] struct {
	get        func(*T) []V
	write      func(w writer, list []V, definition, repetition []int16) error
	list       []V
	definition []int16
	repetition []int16
}

func (b *lists[T, V]) add(row *T) {
	list := b.get(row)
	b.list = append(b.list, list...)
	for i := range max(1, len(list)) {
		b.definition = append(b.definition, level(len(list) > 0))
		b.repetition = append(b.repetition, level(i > 0))
	}
}

func (b *lists[T, V]) held() int { return 8 * len(b.list) }

func (b *lists[T, V]) flush(w writer) error {
	err := b.write(w, b.list, b.definition, b.repetition)
	b.list, b.definition, b.repetition = b.list[:0], b.definition[:0], b.repetition[:0]
	return err
}

func level(defined bool) int16 {
	if defined {
		return 1
	}
	return 0
}

func writeInt32(w writer, list []int32, definition, repetition []int16) error {
	return writeTo(w, func(to *file.Int32ColumnChunkWriter) (int64, error) {
		return to.WriteBatch(list, definition, repetition)
	})
}

func writeInt64(w writer, list []int64, definition, repetition []int16) error {
	return writeTo(w, func(to *file.Int64ColumnChunkWriter) (int64, error) {
		return to.WriteBatch(list, definition, repetition)
	})
}

func writeFloat64(w writer, list []float64, definition, repetition []int16) error {
	return writeTo(w, func(to *file.Float64ColumnChunkWriter) (int64, error) {
		return to.WriteBatch(list, definition, repetition)
	})
}

func writeBool(w writer, list []bool, definition, repetition []int16) error {
	return writeTo(w, func(to *file.BooleanColumnChunkWriter) (int64, error) {
		return to.WriteBatch(list, definition, repetition)
	})
}

// writeTo writes to a column of the type that its schema asked for.
func writeTo[W writer](w writer, write func(W) (int64, error)) error {
	to, ok := w.(W)
	if !ok {
		return fmt.Errorf("a column of %T has values for %T", w, to)
	}
	_, err := write(to)
	return err
}
