package procmaps

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"utrace/record/internal/elffile"
)

// maxMappings is far above the kernel's default limit for one process (vm.max_map_count, 65,530).
const maxMappings = 4 << 20

// Mapping is one line of /proc/PID/maps (proc_pid_maps(5)).
type Mapping struct {
	Start, End uint64 // virtual addresses in the process
	FileOff    elffile.FileOff
	Path       string // "" without a file; [vdso], [heap] and the like in brackets
	Dev, Inode uint64 // Dev as stat(2) gives it in st_dev
	Exec       bool
	Writable   bool
	Shared     bool // changes reach the file, and other processes
	Deleted    bool // the file has been unlinked or replaced since it was mapped
}

// Read returns all mappings of a process, in the order of addresses. The error is os.ErrNotExist if
// there is no such process, and elffile.ErrTooLarge above maxMappings.
func Read(pid int) ([]Mapping, error) {
	h, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, fmt.Errorf("mappings: %w", err)
	}
	defer h.Close()
	return parseMaps(h)
}

func parseMaps(r io.Reader) ([]Mapping, error) {
	var out []Mapping
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<10)
	for lines.Scan() {
		if len(out) == maxMappings {
			return nil, fmt.Errorf("mappings: more than %d: %w", maxMappings, elffile.ErrTooLarge)
		}
		m, err := parseMapping(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("mappings: line %d: %w", len(out)+1, err)
		}
		out = append(out, m)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("mappings: %w", err)
	}
	return out, nil
}

// parseMapping reads "START-END PERM OFFSET MAJOR:MINOR INODE  PATH". In PATH the kernel escapes
// only newlines, as \012. It does not escape backslashes.
func parseMapping(line string) (Mapping, error) {
	var field [5]string
	rest := line
	for i := range field {
		var found bool
		field[i], rest, found = strings.Cut(rest, " ")
		if !found && i < len(field)-1 {
			return Mapping{}, fmt.Errorf("too few fields in %q", line)
		}
	}

	start, end, _ := strings.Cut(field[0], "-")
	major, minor, _ := strings.Cut(field[3], ":")
	var err error
	number := func(s string, base, bits int) uint64 {
		n, e := strconv.ParseUint(s, base, bits)
		if e != nil && err == nil {
			err = fmt.Errorf("bad number %q in %q", s, line)
		}
		return n
	}

	m := Mapping{
		Start:    number(start, 16, 64),
		End:      number(end, 16, 64),
		FileOff:  elffile.FileOff(number(field[2], 16, 64)),
		Dev:      unix.Mkdev(uint32(number(major, 16, 32)), uint32(number(minor, 16, 32))),
		Inode:    number(field[4], 10, 64),
		Exec:     len(field[1]) > 2 && field[1][2] == 'x',
		Writable: len(field[1]) > 1 && field[1][1] == 'w',
		Shared:   len(field[1]) > 3 && field[1][3] == 's',
	}
	if err == nil && m.Start > m.End {
		err = fmt.Errorf("mapping ends before it starts in %q", line)
	}
	if err != nil {
		return Mapping{}, err
	}
	m.Path, m.Deleted = strings.CutSuffix(strings.TrimLeft(rest, " "), " (deleted)")
	m.Path = strings.ReplaceAll(m.Path, `\012`, "\n")
	return m, nil
}

// OpenPath returns a path that opens exactly the mapped file, "" if no file is mapped. It tries, in
// this order:
//
//  1. Path, if it still leads to the same device and inode.
//  2. The same path in the root directory of the process, which may be in a container.
//  3. The entry in /proc/PID/map_files, which needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
func (m Mapping) OpenPath(pid int) string {
	if m.Inode == 0 || !strings.HasPrefix(m.Path, "/") {
		return ""
	}
	for _, path := range []string{m.Path, fmt.Sprintf("/proc/%d/root%s", pid, m.Path)} {
		var st syscall.Stat_t
		if syscall.Stat(path, &st) == nil && uint64(st.Dev) == m.Dev && st.Ino == m.Inode {
			return path
		}
	}
	return fmt.Sprintf("/proc/%d/map_files/%x-%x", pid, m.Start, m.End)
}
