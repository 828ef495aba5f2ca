package columnar

import (
	"time"

	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/schema"
)

// Column is a column of a file whose rows are values of type T. Make one with the functions below.
type Column[T any] struct {
	name    string
	repeats bool // the same values come again and again: it has a dictionary
	codec   compress.Compression
	node    func(name string) (schema.Node, error)
	buffer  func() buffer[T]
}

// buffer holds the values of a column that are not passed on yet.
type buffer[T any] interface {
	add(*T)
	// held is the size of the texts that came since the last flush, in bytes.
	held() int
	flush(writer) error
}

// Int32 is a column of numbers.
func Int32[T any](name string, get func(*T) int32) Column[T] {
	return Column[T]{name, true, compress.Codecs.Snappy, primitive(parquet.Repetitions.Required, parquet.Types.Int32, schema.NewIntLogicalType(32, true)), func() buffer[T] {
		return &values[T, int32]{get: func(v *T) (int32, bool) { return get(v), true }, write: writeInt32}
	}}
}

// Int64 is a column of numbers that mostly differ.
func Int64[T any](name string, get func(*T) int64) Column[T] {
	return Column[T]{name, false, compress.Codecs.Zstd, primitive(parquet.Repetitions.Required, parquet.Types.Int64, schema.NewIntLogicalType(64, true)), func() buffer[T] {
		return &values[T, int64]{get: func(v *T) (int64, bool) { return get(v), true }, write: writeInt64}
	}}
}

// Repeated is a column of numbers that come again and again.
func Repeated[T any](name string, get func(*T) int64) Column[T] {
	c := Int64(name, get)
	c.repeats, c.codec = true, compress.Codecs.Snappy
	return c
}

// OptionalInt64 is a column of numbers. The function returns false for null.
func OptionalInt64[T any](name string, get func(*T) (int64, bool)) Column[T] {
	return Column[T]{name, false, compress.Codecs.Zstd, primitive(parquet.Repetitions.Optional, parquet.Types.Int64, schema.NewIntLogicalType(64, true)), func() buffer[T] {
		return &values[T, int64]{get: get, optional: true, write: writeInt64}
	}}
}

// Float64 is a column of numbers that come again and again.
func Float64[T any](name string, get func(*T) float64) Column[T] {
	return Column[T]{name, true, compress.Codecs.Snappy, primitive(parquet.Repetitions.Required, parquet.Types.Double, schema.NoLogicalType{}), func() buffer[T] {
		return &values[T, float64]{get: func(v *T) (float64, bool) { return get(v), true }, write: writeFloat64}
	}}
}

// Bool is a column of true and false.
func Bool[T any](name string, get func(*T) bool) Column[T] {
	return Column[T]{name, false, compress.Codecs.Zstd, primitive(parquet.Repetitions.Required, parquet.Types.Boolean, schema.NoLogicalType{}), func() buffer[T] {
		return &values[T, bool]{get: func(v *T) (bool, bool) { return get(v), true }, write: writeBool}
	}}
}

// Time is a column of times in UTC, in microseconds: Spark reads no nanoseconds.
func Time[T any](name string, get func(*T) time.Time) Column[T] {
	return Column[T]{name, false, compress.Codecs.Zstd, primitive(parquet.Repetitions.Required, parquet.Types.Int64, schema.NewTimestampLogicalType(true, schema.TimeUnitMicros)), func() buffer[T] {
		return &values[T, int64]{get: func(v *T) (int64, bool) { return get(v).UnixMicro(), true }, write: writeInt64}
	}}
}

// Text is a column of names, which come again and again.
func Text[T any](name string, get func(*T) string) Column[T] {
	return Column[T]{name, true, compress.Codecs.Snappy, primitive(parquet.Repetitions.Required, parquet.Types.ByteArray, schema.StringLogicalType{}), func() buffer[T] {
		return &texts[T]{get: get, known: map[string]parquet.ByteArray{}}
	}}
}

// OptionalText is a column of texts that mostly differ. "" is null.
func OptionalText[T any](name string, get func(*T) string) Column[T] {
	return Column[T]{name, true, compress.Codecs.Zstd, primitive(parquet.Repetitions.Optional, parquet.Types.ByteArray, schema.StringLogicalType{}), func() buffer[T] {
		return &texts[T]{get: get, optional: true, known: map[string]parquet.ByteArray{}}
	}}
}

// Int64List is a column of lists of numbers.
func Int64List[T any](name string, get func(*T) []int64) Column[T] {
	return Column[T]{name, true, compress.Codecs.Snappy, list(parquet.Types.Int64, schema.NewIntLogicalType(64, true)), func() buffer[T] {
		return &lists[T, int64]{get: get, write: writeInt64}
	}}
}

// Float64List is a column of lists of numbers.
func Float64List[T any](name string, get func(*T) []float64) Column[T] {
	return Column[T]{name, true, compress.Codecs.Snappy, list(parquet.Types.Double, schema.NoLogicalType{}), func() buffer[T] {
		return &lists[T, float64]{get: get, write: writeFloat64}
	}}
}

func primitive(repetition parquet.Repetition, physical parquet.Type, logical schema.LogicalType) func(string) (schema.Node, error) {
	return func(name string) (schema.Node, error) {
		return schema.NewPrimitiveNodeLogical(name, repetition, logical, physical, 0, -1)
	}
}

// list is the three levels of a list that the format's specification asks for.
func list(physical parquet.Type, logical schema.LogicalType) func(string) (schema.Node, error) {
	return func(name string) (schema.Node, error) {
		element, err := schema.NewPrimitiveNodeLogical("element", parquet.Repetitions.Required, logical, physical, 0, -1)
		if err != nil {
			return nil, err
		}
		repeated, err := schema.NewGroupNode("list", parquet.Repetitions.Repeated, schema.FieldList{element}, -1)
		if err != nil {
			return nil, err
		}
		return schema.NewGroupNodeLogical(name, parquet.Repetitions.Required, schema.FieldList{repeated}, schema.NewListLogicalType(), -1)
	}
}
