//go:build linux

package linker

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"utrace/bpf"
)

// Holder makes and holds links in another process.
type Holder struct {
	cmd      *exec.Cmd
	stderr   bytes.Buffer // of the process
	programs []*ebpf.Program
	in       io.Closer
	replied  chan struct{} // closed after the last reply

	sending sync.Mutex // protects out and id
	out     *gob.Encoder
	id      uint64 // of the latest request

	mu      sync.Mutex            // protects waiting; not held while sending, which can wait for receive
	waiting map[uint64]chan reply // by ID of the request; nil after the last reply
}

// NewHolder starts a process with a command line that runs Serve. It can attach these programs, of
// which some may be nil.
func NewHolder(command []string, method bpf.Method, programs ...*ebpf.Program) (*Holder, error) {
	h := &Holder{cmd: exec.Command(command[0], command[1:]...), replied: make(chan struct{}), waiting: map[uint64]chan reply{}}
	h.programs = slices.DeleteFunc(programs, func(p *ebpf.Program) bool { return p == nil })
	h.cmd.Stderr = &h.stderr
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C in a terminal must not reach it
	for _, p := range h.programs {
		fd, err := unix.FcntlInt(uintptr(p.FD()), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		file := os.NewFile(uintptr(fd), "program")
		defer file.Close()
		h.cmd.ExtraFiles = append(h.cmd.ExtraFiles, file)
	}
	in, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	h.in, h.out = in, gob.NewEncoder(in)
	go h.receive(out)
	return h, h.out.Encode(hello{method, len(h.programs)})
}

// PID returns the ID of the process.
func (h *Holder) PID() int { return h.cmd.Process.Pid }

// receive passes replies on to those who wait for them.
func (h *Holder) receive(r io.Reader) {
	defer close(h.replied)
	in := gob.NewDecoder(r)
	for {
		var answer reply
		err := in.Decode(&answer)
		h.mu.Lock()
		if err != nil {
			for _, ch := range h.waiting {
				close(ch)
			}
			h.waiting = nil
			h.mu.Unlock()
			return
		}
		h.waiting[answer.ID] <- answer
		delete(h.waiting, answer.ID)
		h.mu.Unlock()
	}
}

// errEnded says that the process has ended too early, for example because somebody killed it.
var errEnded = errors.New("the process that holds the probes has ended, and the trace with it: record again")

// ask sends a request, and returns a function that waits for its reply.
func (h *Holder) ask(req request) (id uint64, wait func() error) {
	h.sending.Lock()
	defer h.sending.Unlock()
	h.id++
	req.ID = h.id
	ch := make(chan reply, 1)
	if !h.expect(req.ID, ch) || h.out.Encode(req) != nil {
		return 0, func() error { return errEnded }
	}
	return req.ID, func() error {
		answer, ok := <-ch
		switch {
		case !ok:
			return errEnded
		case answer.Err != "":
			return &remoteError{answer}
		}
		return nil
	}
}

// expect reports whether a reply can still come.
func (h *Holder) expect(id uint64, ch chan reply) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting == nil {
		return false
	}
	h.waiting[id] = ch
	return true
}

// remoteError is an error of a request.
type remoteError struct{ reply }

func (e *remoteError) Error() string { return e.Err }
func (e *remoteError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// Attach makes a link in the other process.
func (h *Holder) Attach(p Probes) (wait func() (io.Closer, error)) {
	if rest, ok := strings.CutPrefix(p.Path, "/proc/self/"); ok {
		p.Path = fmt.Sprintf("/proc/%d/%s", os.Getpid(), rest)
	}
	id, replied := h.ask(request{Program: slices.Index(h.programs, p.Program), Path: p.Path, When: p.When, Sites: p.Sites, PID: p.PID})
	return func() (io.Closer, error) {
		if err := replied(); err != nil {
			return nil, err
		}
		return &remoteLink{h, id}, nil
	}
}

// remoteLink is a link in the other process.
type remoteLink struct {
	holder *Holder
	id     uint64
}

func (l *remoteLink) Close() error {
	_, replied := l.holder.ask(request{Close: l.id})
	return replied()
}

// Close removes the remaining probes, and waits for the end of the process.
func (h *Holder) Close() error {
	h.in.Close()
	<-h.replied
	if err := h.cmd.Wait(); err != nil {
		said, _, _ := strings.Cut(h.stderr.String(), "\n")
		return fmt.Errorf("the process that holds the probes: %w: %s", err, cmp.Or(said, "it said nothing"))
	}
	return nil
}
