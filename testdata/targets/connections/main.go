// A goroutine for each request, as servers have one for each connection: 70000 quick ones. A slow one is blocked from
// the beginning to the end, another one comes last.
package main

import (
	"fmt"
	"time"
)

type request struct{ path string }

//go:noinline
func step(n int) int { return n + 1 }

//go:noinline
func serve(req *request, n int, wait func()) int {
	wait()
	return step(n)
}

func main() {
	first, done := make(chan bool), make(chan bool)
	go func() {
		serve(&request{"/first"}, 0, func() { done <- true; <-first })
		done <- true
	}()
	<-done
	for n := 1; n <= 70000; n++ {
		go func() {
			serve(&request{"/quick"}, n, func() {})
			done <- true
		}()
		<-done
	}
	go func() {
		serve(&request{"/last"}, 70001, func() { time.Sleep(1200 * time.Millisecond) })
		done <- true
	}()
	<-done
	first <- true
	<-done
	fmt.Println("served")
}
