// Package fleet writes the calls of many traces as tables that DuckDB, ClickHouse and Spark read:
//
//   - calls: a row per call (NewCallWriter, and the directory calls of a Dataset)
//   - histograms: a row per function, process and minute of a recording, with the distribution of
//     durations in buckets (the directory histograms of a Dataset)
//
// # The dataset
//
// A Dataset is a directory in the layout of Hive: the directories calls and histograms have
// directories such as host=web1/date=2026-11-30, by the keys of the partition. A file there is named
// after its recording, so exporting a recording again replaces its files. Each file is complete or
// absent. Files of the recording in other partitions are removed: a trace that was exported while it
// grew may have had calls elsewhere. All paths are opened within the directory (os.Root): no link
// and no name of a host leads out of it.
//
// Rows are sorted by function and time in chunks, and a row group has few functions if these have
// many calls. As calls come in order of time, a chunk is also a stretch of time. So a query that
// selects functions or times skips row groups by their statistics.
//
// # Histograms
//
// Buckets are those of analyze.Histogram, the same in every trace. Adding up rows gives the same as
// one histogram of all calls, and percentiles of the sum are those of utrace analyze. A call counts
// with its weight, in the minute in which it began. A histogram that grows too large is written out
// early: then a function has several rows for one minute, which add up. Command lines are not part
// of the key: programs that are started with ever new arguments would have a row for each.
package fleet
