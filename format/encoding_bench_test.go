package format

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/klauspost/compress/zstd"
)

// The columns were chosen by this experiment (see doc.go): one column of events in each encoding
// that was considered, under zstd as in a trace. "regular" is a loop over the same nested calls.
// "random" is a walk over a call tree that never repeats. Real programs lie in between.

type benchEvent struct {
	timeNs, sp, value uint64
	fn                uint32
	kind              uint8
}

// benchEvents makes n events of one thread, spaced like hits of probes: 700 ns with some noise, and
// now and then an interruption.
func benchEvents(n int, random bool) []benchEvent {
	rng := rand.New(rand.NewPCG(1, 2))
	const top = 0x7ffc12345670
	type frame struct {
		fn uint32
		sp uint64
	}
	var stack []frame
	events := make([]benchEvent, 0, n)
	timeNs := uint64(1e15)
	for i := range n {
		gap := 700 + 40*rng.NormFloat64()
		if rng.IntN(500) == 0 {
			gap += math.Exp(rng.NormFloat64() + 8)
		}
		timeNs += uint64(max(gap, 300))
		down := len(stack) < 4 && i%8 < 4
		if random {
			down = len(stack) == 0 || len(stack) < 8 && rng.IntN(2) == 0
		} else if len(stack) == 0 {
			down = true
		}
		if !down {
			f := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			value := uint64(0)
			if f.fn%2 == 0 {
				value = uint64(rng.IntN(10))
			}
			events = append(events, benchEvent{timeNs, f.sp, value, f.fn, 1})
			continue
		}
		f := frame{uint32(len(stack)), top}
		if len(stack) > 0 {
			parent := stack[len(stack)-1]
			if random {
				f.fn = (parent.fn*3 + rng.Uint32N(3) + 1) % 40
			}
			f.sp = parent.sp - 32 - 16*uint64(f.fn%7)
		}
		stack = append(stack, f)
		events = append(events, benchEvent{timeNs, f.sp, 0, f.fn, 0})
	}
	return events
}

func encode[T any](events []benchEvent, fn func(prev, e benchEvent) T) []byte {
	column := make([]T, len(events))
	prev := events[0]
	for i, e := range events {
		column[i] = fn(prev, e)
		prev = e
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&column[0])), len(column)*int(unsafe.Sizeof(column[0])))
}

func BenchmarkEncoding(b *testing.B) {
	encodings := []struct {
		name   string
		column func([]benchEvent) []byte
	}{
		{"time/uint64-absolute", func(ev []benchEvent) []byte { return encode(ev, func(_, e benchEvent) uint64 { return e.timeNs }) }},
		{"time/uint64-delta", func(ev []benchEvent) []byte {
			return encode(ev, func(p, e benchEvent) uint64 { return e.timeNs - p.timeNs })
		}},
		{"time/uint32-delta", func(ev []benchEvent) []byte {
			return encode(ev, func(p, e benchEvent) uint32 { return uint32(e.timeNs - p.timeNs) })
		}},
		{"time/low-byte", func(ev []benchEvent) []byte {
			return encode(ev, func(p, e benchEvent) uint8 { return uint8(e.timeNs - p.timeNs) })
		}},
		{"time/second-byte", func(ev []benchEvent) []byte {
			return encode(ev, func(p, e benchEvent) uint8 { return uint8((e.timeNs - p.timeNs) >> 8) })
		}},
		{"stack/uint64-pointer", func(ev []benchEvent) []byte { return encode(ev, func(_, e benchEvent) uint64 { return e.sp }) }},
		{"stack/int32-delta", func(ev []benchEvent) []byte {
			return encode(ev, func(p, e benchEvent) int32 { return int32(e.sp - p.sp) })
		}},
		{"stack/uint32-from-base", func(ev []benchEvent) []byte {
			return encode(ev, func(_, e benchEvent) uint32 { return uint32(0x7ffc12445670 - e.sp) })
		}},
		{"func/uint32", func(ev []benchEvent) []byte { return encode(ev, func(_, e benchEvent) uint32 { return e.fn }) }},
		{"func/uint16", func(ev []benchEvent) []byte { return encode(ev, func(_, e benchEvent) uint16 { return uint16(e.fn) }) }},
		{"kind/uint8", func(ev []benchEvent) []byte { return encode(ev, func(_, e benchEvent) uint8 { return e.kind }) }},
		{"value/uint64", func(ev []benchEvent) []byte { return encode(ev, func(_, e benchEvent) uint64 { return e.value }) }},
		{"thread/uint32", func(ev []benchEvent) []byte { return encode(ev, func(_, _ benchEvent) uint32 { return 3 }) }},
		{"info/offsets-of-nulls", func(ev []benchEvent) []byte { return encode(ev, func(_, _ benchEvent) uint32 { return 0 }) }},
	}
	compressor, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	for _, random := range []bool{false, true} {
		events := benchEvents(BatchRows, random)
		for _, enc := range encodings {
			b.Run(fmt.Sprintf("%s/random=%v", enc.name, random), func(b *testing.B) {
				column := enc.column(events)
				var small, back []byte
				for b.Loop() {
					small = compressor.EncodeAll(column, small[:0])
				}
				encodeNs := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
				const times = 50
				start := time.Now()
				for range times {
					if back, err = decoder.DecodeAll(small, back[:0]); err != nil {
						b.Fatal(err)
					}
				}
				decodeNs := float64(time.Since(start).Nanoseconds()) / times
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(len(small))/BatchRows, "bytes/event")
				b.ReportMetric(encodeNs/BatchRows, "encode-ns/event")
				b.ReportMetric(decodeNs/BatchRows, "decode-ns/event")
			})
		}
	}
}

// BenchmarkWriter writes batches as a recorder does.
func BenchmarkWriter(b *testing.B) {
	for _, random := range []bool{false, true} {
		b.Run(fmt.Sprintf("random=%v", random), func(b *testing.B) {
			events := benchEvents(BatchRows, random)
			f := &memFile{}
			w, err := NewWriter(f, Meta{})
			if err != nil {
				b.Fatal(err)
			}
			m := w.AddModule(Module{})
			for range 40 {
				w.AddFunc(Func{Module: m})
			}
			w.AddProcess(Process{})
			w.AddThread(Thread{})
			n := 0
			for b.Loop() {
				for i := range events {
					e := &events[i]
					if err := w.Append(&Event{TimeNs: e.timeNs + uint64(n)*1e9, SP: e.sp, Value: e.value, Func: FuncID(e.fn), Kind: Kind(e.kind)}); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.Flush(); err != nil {
					b.Fatal(err)
				}
				n++
			}
			total := float64(n) * BatchRows
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/total, "ns/event")
			b.ReportMetric(float64(w.Size())/total, "bytes/event")
		})
	}
}
