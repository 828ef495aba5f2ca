//go:build linux

package linker

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"runtime"
	"sync"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"utrace/bpf"
)

// hello is the first message to the process.
type hello struct {
	Method   bpf.Method
	Programs int // that it has as open files, from firstProgram on
}

// firstProgram is the number of the first open file that is no standard stream.
const firstProgram = 3

// request asks for a link, or for the end of one.
type request struct {
	ID    uint64 // also of the link; from 1 on
	Close uint64 // the link to close; 0: make one

	Program int // otherwise as in Probes
	Path    string
	When    When
	Sites   []Site
	PID     int
}

// reply answers the request with the same ID.
type reply struct {
	ID    uint64
	Errno unix.Errno // 0: none is known
	Err   string     // "": done
}

// server holds links.
type server struct {
	linker   Linker
	programs []*ebpf.Program

	mu    sync.Mutex // protects all below
	out   *gob.Encoder
	links map[uint64]heldLink
}

// heldLink is a link that is not closed.
type heldLink struct {
	io.Closer
	when When
}

// Serve runs the process of a Holder: it reads requests from r and writes replies to w until r
// ends. Then it closes all links. Signals do not end it.
func Serve(r io.Reader, w io.Writer) error {
	// While a system call takes longer than 20 us, Go's sysmon looks for a processor to take away
	// from it, 60 times until it has been 10 ms. If there is only one, it takes that at once, and
	// sleeps. Closing takes 5 to 60 ms, and each look pre-empts somebody.
	runtime.GOMAXPROCS(1)
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE)
	in := gob.NewDecoder(r)
	var h hello
	if err := in.Decode(&h); err != nil {
		return fmt.Errorf("read the method: %w", err)
	}
	s := &server{linker: Local(h.Method), out: gob.NewEncoder(w), links: map[uint64]heldLink{}}
	for i := range h.Programs {
		prog, err := ebpf.NewProgramFromFD(firstProgram + i)
		if err != nil {
			return fmt.Errorf("program %d: %w", i, err)
		}
		s.programs = append(s.programs, prog)
	}
	return s.serve(in)
}

func (s *server) serve(in *gob.Decoder) error {
	var running sync.WaitGroup
	closers := make(chan struct{}, maxClosers)
	var err error
	for {
		var req request
		if err = in.Decode(&req); err != nil {
			break
		}
		if req.Close == 0 {
			s.answer(req)
		} else {
			running.Go(func() {
				closers <- struct{}{}
				s.answer(req)
				<-closers
			})
		}
	}
	running.Wait()
	var returns, others []heldLink
	for _, l := range s.links {
		if l.when != AtSites {
			returns = append(returns, l)
		} else {
			others = append(others, l)
		}
	}
	// A recorder that was killed in the middle of a request ends them like any other.
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return errors.Join(err, CloseAll(returns), CloseAll(others))
}

// answer does what a request asks for. A recorder that no longer reads replies was killed.
func (s *server) answer(req request) {
	answer := reply{ID: req.ID}
	if err := s.do(&req); err != nil {
		answer.Err = err.Error()
		errors.As(err, &answer.Errno)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out.Encode(answer)
}

func (s *server) do(req *request) error {
	if req.Close != 0 {
		s.mu.Lock()
		l := s.links[req.Close]
		delete(s.links, req.Close)
		s.mu.Unlock()
		if l.Closer == nil {
			return fmt.Errorf("no link %d", req.Close)
		}
		return l.Close()
	}
	if req.Program < 0 || req.Program >= len(s.programs) || len(req.Sites) == 0 {
		return fmt.Errorf("cannot attach program %d to %d sites", req.Program, len(req.Sites))
	}
	l, err := s.linker.Attach(Probes{s.programs[req.Program], req.Path, req.When, req.Sites, req.PID})()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[req.ID] = heldLink{l, req.When}
	return nil
}
