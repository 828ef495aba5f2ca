//go:build linux

package calibrate

import (
	"runtime"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// displacingNice is the nice value of the displacing thread. The recorder's thread that
	// displaces most often has the same.
	displacingNice = -15
	// displacingSleep is how long it sleeps each time.
	displacingSleep = 50 * time.Microsecond
	// maxDisplacements limits Request.Displacements.
	maxDisplacements = 1000
	// minGap is longer than the time between two readings of the clock, and shorter than a
	// displacement.
	minGap = time.Microsecond
)

// displace returns how much time a thread loses when another one displaces it on its processor: the
// interrupt of a timer, two switches and the return. It excludes the time for which the other one
// runs. It is a lower quartile, since other events can only make it longer. 0 means that no
// displacement was seen. The calling thread must be locked.
func displace(times int) (ns int64) {
	var all, here unix.CPUSet
	var cpu uint32
	if _, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); errno != 0 || unix.SchedGetaffinity(0, &all) != nil {
		return 0
	}
	here.Set(int(cpu))
	if unix.SchedSetaffinity(0, &here) != nil {
		return 0
	}
	defer unix.SchedSetaffinity(0, &all)
	var done atomic.Bool
	result := make(chan []time.Duration, 1)
	go func() {
		defer done.Store(true)
		runtime.LockOSThread() // never unlocked: the thread ends with its goroutine
		var ran []time.Duration
		if unix.SchedSetaffinity(0, &here) == nil {
			unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), displacingNice) // if permitted
			ran = sleepAndRun(times)
		}
		result <- ran
	}()
	gaps := watchGaps(&done)
	ran := <-result
	if len(ran) == 0 || len(gaps) < len(ran) {
		return 0
	}
	slices.Sort(ran)
	slices.Sort(gaps)
	gaps = gaps[len(gaps)-len(ran):]
	return max(0, (gaps[len(gaps)/4] - ran[len(ran)/4]).Nanoseconds())
}

// sleepAndRun sleeps many times, and returns how long the thread ran each time.
func sleepAndRun(times int) (ran []time.Duration) {
	sleep := unix.NsecToTimespec(displacingSleep.Nanoseconds())
	last := threadTime()
	for range times {
		// Go's runtime must not know, or it would have to find a P for the thread when it wakes up.
		unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&sleep)), 0, 0)
		now := threadTime()
		ran = append(ran, now-last)
		last = now
	}
	return ran
}

// threadTime returns how long this thread has run.
func threadTime() time.Duration {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano())
}

// watchGaps returns the times in which this thread did not run.
func watchGaps(done *atomic.Bool) (gaps []time.Duration) {
	start := time.Now()
	for last := time.Duration(0); !done.Load(); {
		now := time.Since(start)
		if now-last > minGap {
			gaps = append(gaps, now-last)
		}
		last = now
	}
	return gaps
}
