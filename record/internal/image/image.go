//go:build linux

// Package image opens the programs and libraries of processes, each once, and tells them apart: by device and inode, also
// across mount namespaces and file systems whose mappings show another device than stat does.
package image

import (
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"utrace/record/internal/elffile"
	"utrace/record/internal/procmaps"
)

// image is an executable or library of a target, opened.
type Image struct {
	Path     string // as people know it
	OpenPath string // a path that the kernel resolves to the same file
	File     *elffile.File
	Key      Key
	Version  Version
	PIDs     []int // attach in these processes only; empty: in all
}

type Key struct{ Dev, Ino uint64 }

// fileVersion tells a file from another that has got its inode number since.
type Version struct {
	Key
	size, changedNs int64
}

func NewSet() Set { return Set{byKey: map[Key]*Image{}, Failed: map[Key]bool{}} }

// images opens files, each once.
type Set struct {
	byKey  map[Key]*Image
	Failed map[Key]bool // mapped files that cannot be opened as programs
	held   []*os.File   // to be closed: image.open leads through them
}

// get opens the file that open names; path is how to call it. root leads to the root directory of the
// process that it is of, "" if that is ours. pid, unless it is 0, is added to the processes in which the file will be probed.
func (s *Set) Get(root string, pid int, path, open string) (*Image, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(open, &st); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key := Key{uint64(st.Dev), st.Ino}
	img := s.byKey[key]
	if img == nil {
		file, err := elffile.OpenAs(open, path, root)
		if err != nil {
			return nil, err
		}
		img = &Image{Path: path, OpenPath: open, File: file, Key: key, Version: Version{key, st.Size, st.Ctim.Nano()}}
		s.byKey[key] = img
	}
	if pid != 0 && !slices.Contains(img.PIDs, pid) {
		img.PIDs = append(img.PIDs, pid)
	}
	return img, nil
}

// all returns the files that have been opened, in no order.
func (s *Set) All() iter.Seq[*Image] { return maps.Values(s.byKey) }

// close closes all files.
func (s *Set) Close() {
	for _, img := range s.byKey {
		img.File.Close()
	}
	for _, file := range s.held {
		file.Close()
	}
}

// mappedKey returns which file a process has mapped, as stat tells it for an image; open is the path that opens it. The mappings
// have another device for a file on btrfs, or on overlayfs above several filesystems, and may have one for two files.
func KeyOf(m procmaps.Mapping, open string) Key {
	var st syscall.Stat_t
	if syscall.Stat(open, &st) != nil { // not there any more, or not ours to see
		return Key{m.Dev, m.Inode}
	}
	return Key{uint64(st.Dev), st.Ino}
}

// inRoot returns a path that opens the file which a process with a root directory
// would open as path. Symbolic links on the way stay inside its root directory, which
// they would leave on a way through /proc/PID/root. A file that is not there is
// taken for one of ours: people copy paths from both sides.
func (s *Set) InRoot(root, path string) string {
	if root == "" {
		return path
	}
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
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

// mappedFile tells files in mappings apart, be they there or not any more, see mappedKey.
type Mapped struct {
	Key
	Path string
}

// mappedKeys returns the files that a process has mapped to execute them.
func KeysOf(pid int) (keys []Key) {
	maps, _ := procmaps.Read(pid)
	for _, m := range maps {
		if m.Exec && m.Inode != 0 {
			keys = append(keys, KeyOf(m, m.OpenPath(pid)))
		}
	}
	return keys
}
