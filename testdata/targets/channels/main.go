// A handler waits for another goroutine, which calls step 200 times before it answers. The first
// argument is how: channel (without buffer), cond, mutex, wait (a WaitGroup), or none: it calls
// step itself. The second is the number of requests. It prints mean and median of a request by its
// own clock, in ns, and of the 200 calls in it.
package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	steps     = 200
	stepTurns = 3000
	pause     = 100 * time.Microsecond
)

var (
	sink   uint64
	served []int64
)

//go:noinline
func step() {
	x := uint64(stepTurns)
	for i := 0; i < stepTurns; i++ {
		x = x*7 + 1
	}
	sink += x
}

//go:noinline
func serve() {
	began := time.Now()
	for range steps {
		step()
	}
	served = append(served, time.Since(began).Nanoseconds())
}

var (
	ask, answer    = make(chan int), make(chan int)
	lock           sync.Mutex
	cond           = sync.NewCond(&lock)
	asked, replied bool
)

//go:noinline
func requestChannel() {
	ask <- 1
	<-answer
}

func answerChannel() {
	for range ask {
		serve()
		answer <- 1
	}
}

//go:noinline
func requestCond() {
	lock.Lock()
	asked = true
	cond.Broadcast()
	for !replied {
		cond.Wait()
	}
	replied = false
	lock.Unlock()
}

func answerCond() {
	for {
		lock.Lock()
		for !asked {
			cond.Wait()
		}
		asked = false
		lock.Unlock()
		serve()
		lock.Lock()
		replied = true
		cond.Broadcast()
		lock.Unlock()
	}
}

//go:noinline
func requestMutex() {
	lock.Lock()
	lock.Unlock()
}

// answerMutex has the lock before it answers that it has.
func answerMutex() {
	for range ask {
		lock.Lock()
		answer <- 1
		serve()
		lock.Unlock()
	}
}

//go:noinline
func requestWait() {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		serve()
		wg.Done()
	}()
	wg.Wait()
}

//go:noinline
func requestNone() { serve() }

func main() {
	n, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	request := map[string]func(){"channel": requestChannel, "cond": requestCond, "mutex": requestMutex, "wait": requestWait, "none": requestNone}[os.Args[1]]
	switch os.Args[1] {
	case "channel":
		go answerChannel()
	case "cond":
		go answerCond()
	case "mutex":
		go answerMutex()
	}
	var times []int64
	for range n {
		time.Sleep(pause)
		if os.Args[1] == "mutex" {
			ask <- 1
			<-answer
		}
		began := time.Now()
		request()
		times = append(times, time.Since(began).Nanoseconds())
	}
	report(times)
	report(served)
}

func report(times []int64) {
	sum := int64(0)
	for _, ns := range times {
		sum += ns
	}
	slices.Sort(times)
	fmt.Println(sum/int64(len(times)), times[len(times)/2])
}
