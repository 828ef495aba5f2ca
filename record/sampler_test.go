//go:build linux

package record

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"utrace/bpf"
	"utrace/format"
	"utrace/record/internal/clock"
	"utrace/record/internal/image"
	"utrace/record/internal/stacks"
	"utrace/record/internal/survey"
	"utrace/record/plan"
)

//go:noinline
func sampledLeaf(depth int) []uintptr {
	if depth > 0 {
		return append([]uintptr(nil), sampledLeaf(depth-1)...)
	}
	pcs := make([]uintptr, 16)
	return pcs[:runtime.Callers(1, pcs)]
}

//go:noinline
func sampledCaller(depth int) []uintptr { return append([]uintptr(nil), sampledLeaf(depth)...) }

// Samples of this process fall into the functions that runtime.Callers names.
func TestSeen(t *testing.T) {
	images := image.NewSet()
	defer images.Close()
	img, err := images.Get("", 0, "test", "/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	funcs, err := img.File.Funcs()
	if err != nil {
		t.Fatal(err)
	}
	m := &plan.Module{Image: img}
	for _, fn := range funcs {
		m.Funcs = append(m.Funcs, plan.Func{Name: fn.Name, Addr: uint64(fn.Addr), Size: fn.Size})
		m.Funcs = append(m.Funcs, plan.Func{Name: "a static probe", Addr: uint64(fn.Addr)})
	}
	s := &sampler{stacks: stacks.NewSet(image.NewFiles(nil), false), counts: map[format.StackID]int{}}
	defer s.stacks.Close()
	add := func(id uint64, count int, pcs []uintptr) {
		rec := bpf.Stack{ID: id, TimeNs: clock.MonotonicNs(), PID: uint32(os.Getpid()), Sampled: true}
		for _, pc := range pcs {
			rec.ReturnsTo = append(rec.ReturnsTo, uint64(pc))
		}
		s.stacks.Add(&rec)
		for range count {
			s.add(s.stacks.OfSample(rec.PID, id))
		}
	}
	add(1, 3, sampledCaller(0))
	add(2, 2, sampledCaller(0)[1:]) // in the caller itself
	add(3, 4, sampledCaller(2))     // three calls of the leaf
	s.add(0)

	got := map[string]survey.Sampled{}
	for i, n := range s.seen(m) {
		if _, name, ok := strings.Cut(m.Funcs[i].Name, "record.sampled"); ok {
			got[name] = n
		}
	}
	if leaf, caller := got["Leaf"], got["Caller"]; leaf != (survey.Sampled{Leaf: 7, Any: 7}) || caller != (survey.Sampled{Leaf: 2, Any: 9}) {
		t.Errorf("leaf %+v, caller %+v", leaf, caller)
	}
	other := *img
	other.Version = image.Version{}
	if n := s.seen(&plan.Module{Image: &other, Funcs: m.Funcs}); len(n) != 0 {
		t.Errorf("%d functions of another file", len(n))
	}
}
