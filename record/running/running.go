//go:build linux

// Package running lists processes with what the criteria of a recording look at: names, users,
// control groups, containers. Completion in a shell uses it.
package running

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"utrace/record/internal/cgroup"
	"utrace/record/internal/container"
	"utrace/record/internal/proc"
)

// Process is a running process. Text is as the kernel has it, not fit for a terminal.
type Process struct {
	PID       int
	Name      string
	Exe       string // path of its program
	User      string // name, or else the number
	Cgroup    string // "" for the root
	Unit      string // of systemd, "" for none
	Container string // name, or else the first digits of the ID; "" for none
	Pod       string // NAMESPACE/NAME, "" for none
}

// Processes returns the processes that can be recorded: those with a program that we may see.
func Processes() (list []Process) {
	state := container.NewState("/")
	users := map[int]string{}
	for _, pid := range proc.All() {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil {
			continue
		}
		paths := cgroup.Of(pid)
		p := Process{PID: pid, Name: proc.Comm(pid), Exe: strings.TrimSuffix(exe, " (deleted)"), Cgroup: paths.Main(), Unit: paths.Unit()}
		if uid, ok := proc.User(pid); ok {
			if users[uid] == "" {
				users[uid] = userName(uid)
			}
			p.User = users[uid]
		}
		containers := state.Of(paths)
		if n := len(containers); n > 0 {
			p.Container = containers[n-1].Name()
		}
		p.Pod = state.Pod(pid, paths, containers)
		list = append(list, p)
	}
	return list
}

func userName(uid int) string {
	text := strconv.Itoa(uid)
	if u, err := user.LookupId(text); err == nil {
		return u.Username
	}
	return text
}
