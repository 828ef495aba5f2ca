//go:build linux

package record

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"utrace/record/internal/elffile"
	"utrace/record/internal/procmaps"
)

// image is an executable or library of a target, opened.
type image struct {
	path string // as people know it
	open string // a path that the kernel resolves to the same file
	file *elffile.File
	key  fileKey
	ver  fileVersion
	pids []int // attach in these processes only; empty: in all

	refused string // why names of functions must not be looked at, see harm
}

type fileKey struct{ dev, ino uint64 }

// fileVersion tells a file from another that has got its inode number since.
type fileVersion struct {
	fileKey
	size, changedNs int64
}

func newImages() images { return images{byKey: map[fileKey]*image{}, failed: map[fileKey]bool{}} }

// images opens files, each once.
type images struct {
	byKey  map[fileKey]*image
	failed map[fileKey]bool // mapped files that cannot be opened as programs
	held   []*os.File       // to be closed: image.open leads through them
}

// get opens the file that open names; path is how to call it. The process of
// the scope, if it has one, is added to those in which it will be probed.
func (s *images) get(sc *scope, path, open string) (*image, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(open, &st); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key := fileKey{uint64(st.Dev), st.Ino}
	img := s.byKey[key]
	if img == nil {
		file, err := elffile.OpenAs(open, path, sc.root)
		if err != nil {
			return nil, err
		}
		img = &image{path: path, open: open, file: file, key: key, ver: fileVersion{key, st.Size, st.Ctim.Nano()}}
		s.byKey[key] = img
	}
	if sc.pid != 0 && !slices.Contains(img.pids, sc.pid) {
		img.pids = append(img.pids, sc.pid)
	}
	return img, nil
}

func (s *images) close() {
	for _, img := range s.byKey {
		img.file.Close()
	}
	for _, file := range s.held {
		file.Close()
	}
}

// mappedKey returns which file a process has mapped, as stat tells it for an image; open is the path that opens it. The mappings
// have another device for a file on btrfs, or on overlayfs above several filesystems, and may have one for two files.
func mappedKey(m procmaps.Mapping, open string) fileKey {
	var st syscall.Stat_t
	if syscall.Stat(open, &st) != nil { // not there any more, or not ours to see
		return fileKey{m.Dev, m.Inode}
	}
	return fileKey{uint64(st.Dev), st.Ino}
}

// processes returns the IDs of all processes but this one.
func processes() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// otherRoot returns a way to the root directory of a process that has been
// given another one than ours: by chroot, or in a container. Else it is "".
func otherRoot(pid int) string {
	root := fmt.Sprintf("/proc/%d/root", pid)
	var ours, theirs syscall.Stat_t
	if syscall.Stat("/", &ours) != nil || syscall.Stat(root, &theirs) != nil {
		return ""
	}
	ourMounts, _ := os.Readlink("/proc/self/ns/mnt")
	theirMounts, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if ours.Dev == theirs.Dev && ours.Ino == theirs.Ino && ourMounts == theirMounts {
		return ""
	}
	return root
}

// inRoot returns a path that opens the file which the process of the scope
// would open as path. Symbolic links on the way stay inside its root directory, which
// they would leave on a way through /proc/PID/root. A file that is not there is
// taken for one of ours: people copy paths from both sides.
func (s *images) inRoot(sc *scope, path string) string {
	if sc.root == "" {
		return path
	}
	dir, err := unix.Open(sc.root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return path
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT} // Linux 5.6
	fd, err := unix.Openat2(dir, path, &how)
	if err != nil {
		return path
	}
	s.held = append(s.held, os.NewFile(uintptr(fd), path))
	return fmt.Sprintf("/proc/self/fd/%d", fd)
}

// openExe returns a path that opens the program of a process: exe, where the link
// in /proc points, if that is still the same file, for it lasts longer than the process.
func openExe(pid int, exe string) string {
	link := fmt.Sprintf("/proc/%d/exe", pid)
	a, errA := os.Stat(link)
	b, errB := os.Stat(exe)
	if errA == nil && errB == nil && os.SameFile(a, b) {
		return exe
	}
	return link
}

// environ returns the environment that a process was started with.
func environ(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return nil
	}
	return strings.Split(string(text), "\x00")
}

// maxInterpreters is how deep the kernel follows scripts that name scripts as
// their interpreter (BINPRM_MAX_RECURSION of fs/exec.c).
const maxInterpreters = 5

// scriptInterpreter returns the program behind "#!", or "".
func scriptInterpreter(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := bufio.NewReaderSize(f, 256).ReadSlice('\n') // BINPRM_BUF_SIZE
	if len(line) < 2 || string(line[:2]) != "#!" {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("%s: the first line of the script is too long", path)
	}
	words := strings.Fields(string(line[2:]))
	if len(words) == 0 {
		return "", fmt.Errorf("%s: the script names no interpreter", path)
	}
	return words[0], nil
}

// errNoStatic is wrapped where no file has the static probe that is asked for: a process may
// still load one.
var errNoStatic = errors.New("no such static probe")

// errNoLibrary is wrapped where a library is not known: a process may still load it.
var errNoLibrary = errors.New("no library")
