// Goroutines, one more than processors, that compute for as many rounds as the argument says.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
)

//go:noinline
func compute(n int) int {
	x := 1
	for i := range n {
		x = x*7 + i
	}
	return x
}

func main() {
	rounds, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	sums := make([]int, runtime.GOMAXPROCS(0)+1)
	var wg sync.WaitGroup
	for i := range sums {
		wg.Go(func() {
			for range rounds {
				sums[i] += compute(20000)
			}
		})
	}
	wg.Wait()
	fmt.Println(sums)
}
