//go:build linux

package selector

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"utrace/record/internal/cgroup"
	"utrace/record/internal/container"
	"utrace/record/internal/probe"
	"utrace/record/internal/proc"
)

// Errors that callers check for.
var (
	// ErrValue is wrapped if a criterion cannot be understood, such as an unknown user.
	ErrValue = errors.New("cannot choose processes")
	// ErrNobody is wrapped if no process matches.
	ErrNobody = errors.New("no process matches")
	// ErrNoPID is wrapped if none with a given ID matches. One that starts later does not count.
	ErrNoPID = errors.New("no process matches")
)

// Config has the criteria. Its zero value chooses nothing: see Any.
type Config struct {
	Names      []string // names of programs or threads, globs or /regular expressions/
	Exes       []string // paths of programs
	Users      []string // names or numbers
	Cgroups    []string // paths of control groups; groups below them count
	Units      []string // of systemd, such as web.service
	Containers []string // names, or IDs of at least container.ShortID digits
	Pods       []string // NAMESPACE/NAME
}

// Any reports whether there is any criterion.
func (c *Config) Any() bool {
	return slices.ContainsFunc(c.kinds(), func(k kind) bool { return len(k.values) > 0 })
}

// Containing reports whether the criteria say in which container, so that its own process IDs count.
func (c *Config) Containing() bool { return len(c.Containers)+len(c.Pods) > 0 }

// kind is a kind of criterion, by the name of its flag.
type kind struct {
	flag   string
	values []string
}

func (c *Config) kinds() []kind {
	return []kind{
		{"--name", c.Names}, {"--exe", c.Exes}, {"--user", c.Users}, {"--cgroup", c.Cgroups},
		{"--unit", c.Units}, {"--container", c.Containers}, {"--pod", c.Pods},
	}
}

// String returns the criteria as flags.
func (c *Config) String() string {
	var words []string
	for _, k := range c.kinds() {
		for _, v := range k.values {
			words = append(words, k.flag+" "+v)
		}
	}
	return strings.Join(words, " ")
}

// Selector is a Config whose values are resolved. Only one goroutine at a time may use it.
type Selector struct {
	cfg   Config
	names []*regexp.Regexp
	exes  []string
	uids  []int
	state *container.State
	own   int // PID of utrace
}

// New resolves a Config. Container runtimes have their files below root, which is "/" except in
// tests. Errors wrap ErrValue.
func New(cfg Config, root string) (*Selector, error) {
	s := &Selector{cfg: cfg, state: container.NewState(root), own: os.Getpid()}
	for _, k := range cfg.kinds() {
		if slices.Contains(k.values, "") {
			return nil, fmt.Errorf("%w: %s: the value is empty", ErrValue, k.flag)
		}
	}
	for _, text := range cfg.Names {
		re, err := probe.ProcessNames(text)
		if err != nil {
			return nil, fmt.Errorf("%w: --name %s: %w", ErrValue, text, err)
		}
		s.names = append(s.names, re)
	}
	for _, path := range cfg.Exes {
		if !strings.Contains(path, "/") {
			return nil, fmt.Errorf("%w: --exe %s: want the path of a program; --name takes its name", ErrValue, path)
		}
		s.exes = append(s.exes, exePaths(path)...)
	}
	for _, name := range cfg.Users {
		uid, err := userID(name)
		if err != nil {
			return nil, fmt.Errorf("%w: --user %s: %w", ErrValue, name, err)
		}
		s.uids = append(s.uids, uid)
	}
	for _, pod := range cfg.Pods {
		if namespace, name, ok := strings.Cut(pod, "/"); !ok || namespace == "" || name == "" {
			return nil, fmt.Errorf("%w: --pod %s: want NAMESPACE/NAME", ErrValue, pod)
		}
	}
	return s, nil
}

// exePaths returns the paths that /proc/PID/exe may have for a program: with and without symbolic
// links, since in a container they may lead elsewhere.
func exePaths(path string) []string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return []string{path}
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil && real != abs {
		return []string{abs, real}
	}
	return []string{abs}
}

// userID returns the number of a user, who need not have a name.
func userID(name string) (int, error) {
	if uid, err := strconv.ParseUint(name, 10, 32); err == nil {
		return int(uid), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, errors.New("/etc/passwd has no such user; a number works as well")
	}
	return strconv.Atoi(u.Uid)
}

// All returns the processes that match, in the order of their IDs.
func (s *Selector) All() (pids []int) {
	for _, pid := range proc.All() {
		if s.Matches(pid) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

// Nobody returns an error that says what no process matches.
func (s *Selector) Nobody() error {
	return fmt.Errorf("%w %s", ErrNobody, s.cfg.String())
}

// Matches reports whether a process matches. It is false for one that has ended.
func (s *Selector) Matches(pid int) bool {
	if pid == s.own || !s.inGroups(pid) || !s.ofUser(pid) {
		return false
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if errors.Is(err, os.ErrNotExist) { // a thread of the kernel, or it has ended; any other error is for the recording to report
		return false
	}
	exe = strings.TrimSuffix(exe, " (deleted)")
	if len(s.exes) > 0 && !slices.Contains(s.exes, exe) && !slices.Contains(s.exes, ownPath(pid, exe)) {
		return false
	}
	return s.named(pid, filepath.Base(exe)) && proc.Parent(pid) != s.own
}

// ownPath returns the path of a program as its process sees it: after chroot, the kernel shows us a
// longer one.
func ownPath(pid int, exe string) string {
	root, err := os.Readlink(fmt.Sprintf("/proc/%d/root", pid))
	if err != nil {
		return exe
	}
	return belowRoot(exe, root)
}

func belowRoot(exe, root string) string {
	if below, ok := strings.CutPrefix(exe, root); ok && strings.HasPrefix(below, "/") {
		return below
	}
	return exe
}

// inGroups reports whether a process is in the groups, units, containers and pods.
func (s *Selector) inGroups(pid int) bool {
	cfg := &s.cfg
	if len(cfg.Cgroups)+len(cfg.Units)+len(cfg.Containers)+len(cfg.Pods) == 0 {
		return true
	}
	paths := cgroup.Of(pid)
	if len(cfg.Cgroups) > 0 && !slices.ContainsFunc(cfg.Cgroups, paths.Within) {
		return false
	}
	if len(cfg.Units) > 0 && !slices.ContainsFunc(cfg.Units, paths.InUnit) {
		return false
	}
	if !cfg.Containing() {
		return true
	}
	containers := s.state.Of(paths)
	isContained := func(name string) bool {
		return slices.ContainsFunc(containers, func(c container.Container) bool { return c.Is(name) })
	}
	if len(cfg.Containers) > 0 && !slices.ContainsFunc(cfg.Containers, isContained) {
		return false
	}
	return len(cfg.Pods) == 0 || slices.Contains(cfg.Pods, s.state.Pod(pid, paths, containers))
}

func (s *Selector) ofUser(pid int) bool {
	if len(s.uids) == 0 {
		return true
	}
	uid, ok := proc.User(pid)
	return ok && slices.Contains(s.uids, uid)
}

// named reports whether a process, its program or one of its threads has one of the names.
func (s *Selector) named(pid int, program string) bool {
	matches := func(name string) bool {
		return name != "" && slices.ContainsFunc(s.names, func(re *regexp.Regexp) bool { return re.MatchString(name) })
	}
	return len(s.names) == 0 || matches(program) || matches(proc.Comm(pid)) || slices.ContainsFunc(proc.ThreadComms(pid), matches)
}

// Processes returns the chosen ones of some process IDs. With a container or pod, these are the IDs
// that the container's own processes see. Otherwise they must be those of processes that match.
// Errors wrap ErrNoPID.
func (s *Selector) Processes(ids []int) (pids []int, err error) {
	for _, id := range ids {
		found := []int{id}
		if s.cfg.Containing() {
			found = slices.DeleteFunc(proc.All(), func(pid int) bool { return proc.InnerPID(pid) != id })
		}
		found = slices.DeleteFunc(found, func(pid int) bool { return !s.Matches(pid) })
		if len(found) == 0 {
			return nil, fmt.Errorf("%w -p %d %s", ErrNoPID, id, s.cfg.String())
		}
		pids = append(pids, found...)
	}
	return pids, nil
}
