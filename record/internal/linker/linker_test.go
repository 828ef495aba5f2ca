//go:build linux

package linker

import (
	"encoding/gob"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// recorded notes what happens to its links, which it names by path.
type recorded struct {
	mu     sync.Mutex
	events []string
}

func (r *recorded) note(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
}

func (r *recorded) Attach(p Probes) func() (io.Closer, error) {
	return func() (io.Closer, error) {
		if strings.HasPrefix(p.Path, "bad") {
			return nil, &os.PathError{Op: "attach", Path: p.Path, Err: unix.EACCES}
		}
		r.note("attach " + p.Path)
		return recordedLink{r, p.Path}, nil
	}
}

type recordedLink struct {
	*recorded
	path string
}

func (l recordedLink) Close() error {
	l.note("close " + l.path)
	return nil
}

// startServer returns a Holder whose server runs in this process, with a single program.
func startServer(l Linker) (h *Holder, prog *ebpf.Program, served <-chan error) {
	requests, in := io.Pipe()
	out, replies := io.Pipe()
	prog = new(ebpf.Program)
	h = &Holder{programs: []*ebpf.Program{prog}, in: in, out: gob.NewEncoder(in), replied: make(chan struct{}), waiting: map[uint64]chan reply{}}
	go h.receive(out)
	done := make(chan error, 1)
	go func() {
		s := &server{linker: l, programs: h.programs, out: gob.NewEncoder(replies), links: map[uint64]heldLink{}}
		err := s.serve(gob.NewDecoder(requests))
		replies.Close()
		done <- err
	}()
	return h, prog, done
}

// TestHolder: links are made in order, also without waiting in between. At the end of the requests
// those left are closed, return probes first. Errors keep their number and text.
func TestHolder(t *testing.T) {
	var r recorded
	h, prog, served := startServer(&r)
	sites := []Site{{Off: 1, Cookie: 2}}
	var waits []func() (io.Closer, error)
	for _, path := range []string{"a", "bad", "b", "c"} {
		waits = append(waits, h.Attach(Probes{Program: prog, Path: path, When: map[bool]When{true: AtReturns}[path == "c"], Sites: sites}))
	}
	made := map[int]io.Closer{}
	for i, wait := range waits {
		l, err := wait()
		if bad := i == 1; bad != (err != nil) || bad && (!errors.Is(err, os.ErrPermission) || err.Error() != "attach bad: permission denied") {
			t.Errorf("link %d: %v", i, err)
		}
		made[i] = l
	}
	if err := made[0].Close(); err != nil {
		t.Error(err)
	}
	if made[0].Close() == nil {
		t.Error("a link can be closed twice")
	}
	if _, err := h.Attach(Probes{Path: "d", Sites: sites})(); err == nil {
		t.Error("an unknown program can be attached")
	}
	h.in.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if want := []string{"attach a", "attach b", "attach c", "close a", "close c", "close b"}; !slices.Equal(r.events, want) {
		t.Errorf("%q, want %q", r.events, want)
	}
	<-h.replied
	if _, err := h.Attach(Probes{Program: prog, Path: "e", Sites: sites})(); !errors.Is(err, errEnded) {
		t.Errorf("after the end: %v", err)
	}
}

// TestHolderManyRequests: neither side waits for the other while both send more than a pipe holds.
func TestHolderManyRequests(t *testing.T) {
	var r recorded
	h, prog, served := startServer(&r)
	var waits []func() (io.Closer, error)
	for range 10_000 {
		waits = append(waits, h.Attach(Probes{Program: prog, Path: "a", Sites: make([]Site, 100)}))
	}
	var made []io.Closer
	for _, wait := range waits {
		l, err := wait()
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, l)
	}
	if err := CloseAll(made); err != nil {
		t.Error(err)
	}
	h.in.Close()
	if err := <-served; err != nil || len(r.events) != 2*len(made) {
		t.Errorf("%d events, %v", len(r.events), err)
	}
}
