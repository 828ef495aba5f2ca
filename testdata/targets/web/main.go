// A server that counts what it serves, by path. It prints its address when it is ready, and
// the counts when /quit has been asked for.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
)

var (
	plains, grows, recovereds, aborts, sum atomic.Int64

	done = make(chan struct{})
)

//go:noinline
func plain(w http.ResponseWriter, r *http.Request) {
	plains.Add(1)
	fmt.Fprintln(w, "hello", r.URL.Path)
}

// deep needs n*1 KiB of stack, more than a new goroutine has.
//
//go:noinline
func deep(n int, fail bool) int {
	var b [1024]byte
	b[n] = byte(n)
	if n == 0 {
		if fail {
			panic("deep")
		}
		return 1
	}
	return deep(n-1, fail) + int(b[(n+1)%len(b)])
}

// grow makes the stacks of its own and of a new goroutine grow; now and then the garbage collector
// makes them small again.
//
//go:noinline
func grow(w http.ResponseWriter, r *http.Request) {
	if grows.Add(1)%64 == 0 {
		runtime.GC()
	}
	result := make(chan int)
	go func() { result <- deep(60, false) }()
	sum.Add(int64(deep(90, false) + <-result))
	fmt.Fprintln(w, "grown")
}

//go:noinline
func recovers() (failed bool) {
	defer func() { failed = recover() != nil }()
	deep(30, true)
	return false
}

//go:noinline
func recovered(w http.ResponseWriter, r *http.Request) {
	recovereds.Add(1)
	fmt.Fprintln(w, recovers())
}

// abort panics through net/http, which recovers and closes the connection.
//
//go:noinline
func abort(w http.ResponseWriter, r *http.Request) {
	aborts.Add(1)
	panic(http.ErrAbortHandler)
}

func quit(w http.ResponseWriter, r *http.Request) { close(done) }

func main() {
	mux := http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{
		"/plain": plain, "/grow": grow, "/recovered": recovered, "/abort": abort, "/quit": quit,
	} {
		mux.Handle(path, handler)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	server := http.Server{Handler: mux}
	go server.Serve(l)
	<-done
	server.Shutdown(context.Background())
	fmt.Println(plains.Load(), grows.Load(), recovereds.Load(), aborts.Load())
}
