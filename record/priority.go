//go:build linux

package record

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Nice values of the recorder's threads.
const (
	// planNice is for planning, which takes some tenths of a second of CPU time. On a busy machine it
	// leaves the programs that run five sixths of a processor, for planPatience.
	planNice = 7
	// drainNice is for draining the rings. That needs a CPU even if the traced threads want them all:
	// what does not fit into the rings is lost.
	drainNice = -15
)

// planPatience is how long planning has a low priority. On a machine with many more busy threads
// than processors it would hardly get on.
const planPatience = 2 * time.Second

// lowerPriority gives planNice to all threads, until restore is called or planPatience is over.
// Without the privilege to raise it again, it does nothing.
func lowerPriority() (restore func()) {
	old, err := niceOf(unix.Gettid())
	if err != nil || old >= planNice {
		return func() {}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tid := unix.Gettid()
	if unix.Setpriority(unix.PRIO_PROCESS, tid, old-1) != nil { // is it allowed?
		return func() {}
	}
	unix.Setpriority(unix.PRIO_PROCESS, tid, old)
	setPriority(planNice)
	restore = sync.OnceFunc(func() { setPriority(old) })
	time.AfterFunc(planPatience, restore)
	return restore
}

// changePriority gives the calling goroutine a thread of its own with a nice value, until restore is
// called.
func changePriority(nice int) (restore func()) {
	runtime.LockOSThread()
	tid := unix.Gettid()
	old, err := niceOf(tid)
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, tid, nice)
	}
	return func() {
		if err == nil {
			unix.Setpriority(unix.PRIO_PROCESS, tid, old)
		}
		runtime.UnlockOSThread()
	}
}

// niceOf returns the nice value of a thread.
func niceOf(tid int) (int, error) {
	priority, err := unix.Getpriority(unix.PRIO_PROCESS, tid) // the system call returns 20 - nice
	return 20 - priority, err
}

// setPriority gives a nice value to all threads of this process, and so to those that they make.
// Without the privilege they keep the one they have.
func setPriority(nice int) {
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil {
			unix.Setpriority(unix.PRIO_PROCESS, tid, nice)
		}
	}
}
