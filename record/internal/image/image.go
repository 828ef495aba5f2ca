//go:build linux

// Package image opens the programs and libraries of processes, each once. It identifies them by
// device and inode. This also works across mount namespaces, and on file systems whose mappings
// show another device than stat.
package image

import (
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"utrace/format"
	"utrace/record/internal/elffile"
	"utrace/record/internal/proc"
	"utrace/record/internal/procmaps"
)

// Image is an opened executable or library of a target.
type Image struct {
	Path     string // as people see it
	OpenPath string // a path that the kernel resolves to the same file
	File     *elffile.File
	Key      Key
	Version  Version
	PIDs     []int       // the only processes to attach in; empty: all
	shared   *sharedFile // nil if the Set shares no files
}

type Key struct{ Dev, Ino uint64 }

// Version distinguishes a file from a later one with the same inode number.
type Version struct {
	Key
	size, changedNs int64
}

// NewSet returns a Set that shares its files with no other. See Files.NewSet.
func NewSet() Set { return Set{byKey: map[Key]*Image{}, Failed: map[Key]bool{}} }

// Set opens files, each once.
type Set struct {
	files  *Files // nil: not shared
	byKey  map[Key]*Image
	Failed map[Key]bool // mapped files that cannot be opened as programs
	held   []*os.File   // to be closed: Image.OpenPath leads through them
}

// Get opens the file that open opens. path is its name for people. root is a path to the root
// directory of its process, "" if that is ours. pid, unless 0, is added to the processes in which
// the file will be probed.
func (s *Set) Get(root string, pid int, path, open string) (*Image, error) {
	version, err := VersionOf(open)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key := version.Key
	img := s.byKey[key]
	if img == nil {
		img = &Image{Path: path, OpenPath: open, Key: key, Version: version}
		if s.files != nil {
			if img.shared, err = s.files.get(openedFrom{version, path, root}, open); err == nil {
				img.File = img.shared.file
			}
		} else {
			img.File, err = elffile.OpenAs(open, path, root)
		}
		if err != nil {
			return nil, err
		}
		s.byKey[key] = img
	}
	if pid != 0 && !slices.Contains(img.PIDs, pid) {
		img.PIDs = append(img.PIDs, pid)
	}
	return img, nil
}

// All returns the files that have been opened, in no particular order.
func (s *Set) All() iter.Seq[*Image] { return maps.Values(s.byKey) }

// Close closes all files, unless they are shared.
func (s *Set) Close() {
	for _, img := range s.byKey {
		if s.files != nil {
			s.files.release(img.shared)
		} else {
			img.File.Close()
		}
	}
	for _, file := range s.held {
		file.Close()
	}
}

// KeyOf returns the key of a mapped file, as stat shows it. open is a path that opens it. For a
// file on btrfs, or on overlayfs above several file systems, the mappings show another device, and
// may show the same device and inode for two files.
func KeyOf(m procmaps.Mapping, open string) Key {
	var st syscall.Stat_t
	if syscall.Stat(open, &st) != nil { // gone, or not accessible to us
		return Key{m.Dev, m.Inode}
	}
	return Key{uint64(st.Dev), st.Ino}
}

// InRoot returns a path that opens the file that a process with the root directory root would open
// as path. Symbolic links stay inside that root directory; through /proc/PID/root they would leave
// it. If there is no such file, InRoot returns path itself: people copy paths from both sides.
func (s *Set) InRoot(root, path string) string {
	if root == "" {
		return path
	}
	file, err := proc.OpenInRoot(root, path, unix.O_PATH)
	if err != nil {
		return path
	}
	s.held = append(s.held, file)
	return fmt.Sprintf("/proc/self/fd/%d", file.Fd())
}

// Hold keeps the file of an image accessible when its last process ends and its path disappears.
func (s *Set) Hold(img *Image) error {
	fd, err := unix.Open(img.OpenPath, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", img.Path, err)
	}
	s.held = append(s.held, os.NewFile(uintptr(fd), img.Path))
	path := fmt.Sprintf("/proc/self/fd/%d", fd)
	if v, err := VersionOf(path); err != nil || v.Key != img.Key {
		return fmt.Errorf("%s: the file was replaced", img.Path)
	}
	img.OpenPath = path
	return nil
}

// Mapped identifies a file in mappings, even a deleted one, see KeyOf.
type Mapped struct {
	Key
	Path string
}

// KeysOf returns the files that a process has mapped as code.
func KeysOf(pid int) (keys []Key) {
	maps, _ := procmaps.Read(pid)
	for _, m := range maps {
		if m.Exec && m.Inode != 0 {
			keys = append(keys, KeyOf(m, m.OpenPath(pid)))
		}
	}
	return keys
}

// ProgramOf returns the key of the program that a process runs.
func ProgramOf(pid int) (Key, error) {
	v, err := VersionOf(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return Key{}, fmt.Errorf("program of process %d: %w", pid, err)
	}
	return v.Key, nil
}

// VersionOf returns the version of the file that a path opens. An error does not name it.
func VersionOf(path string) (Version, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return Version{}, err
	}
	return Version{Key{uint64(st.Dev), st.Ino}, st.Size, st.Ctim.Nano()}, nil
}

// Describe returns the description of the file for a trace.
func (img *Image) Describe() format.Module {
	module := format.Module{Path: img.Path, BuildID: img.File.BuildID}
	for _, seg := range img.File.Segments {
		module.Segments = append(module.Segments, format.Segment{Addr: uint64(seg.Addr), FileOff: uint64(seg.FileOff), Size: seg.MemSize})
	}
	return module
}
