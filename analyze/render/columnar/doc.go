// Package columnar writes Parquet files. A row is a value of some type, and a Column is a function of
// such values. It needs little memory: rows are passed on in batches, and a row group is written when
// it is full.
//
// Writer sits on the low-level writers of Arrow's Go library, which panics at some write errors: sink
// keeps the first error instead. Integers are signed, and times are microseconds, because not every
// engine reads others. Each row group has statistics, by which engines skip it.
//
// Columns whose values differ are compressed with zstd. The others have a dictionary, and zstd would
// save 1.4% of the file: they are compressed with Snappy. The library makes a zstd encoder for each
// page, which takes longer than a small file of 30 columns otherwise does.
package columnar
