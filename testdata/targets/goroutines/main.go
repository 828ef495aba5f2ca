// Eight goroutines that grow their stacks, move between threads, defer, panic
// and recover, while the garbage collector shrinks their stacks again.
package main

import (
	"fmt"
	"runtime"
	"sync"
)

var sink int

//go:noinline
func leaf(x int) int { return x*3 + 1 }

//go:noinline
func grow(n int) int {
	var b [256]byte
	b[n%256] = byte(n)
	if n == 0 {
		return leaf(int(b[0]))
	}
	return grow(n-1) + int(b[(n+1)%256])
}

//go:noinline
func panics(i int) {
	if i%2 == 0 {
		panic(i)
	}
	leaf(i)
}

//go:noinline
func recovers(i int) (failed bool) {
	defer func() {
		failed = recover() != nil
	}()
	panics(i)
	return false
}

//go:noinline
func generic[T int | string](v T) T { return v + v }

//go:noinline
func work(i int) int {
	runtime.Gosched()
	if recovers(i) {
		i++
	}
	generic("x")
	return grow(i%100) + generic(leaf(i))
}

func main() {
	var wg sync.WaitGroup
	for g := 0; g < 8; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < 100; i++ {
				work(i)
				if i%25 == 0 {
					runtime.GC()
				}
			}
		}()
	}
	wg.Wait()
	fmt.Println("ok")
}
