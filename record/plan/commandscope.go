//go:build linux

package plan

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"utrace/record/internal/image"
	"utrace/record/internal/ldso"
	"utrace/record/internal/proc"
)

// commandScope returns the scope that a command will have, by the rules of the dynamic linker.
// Nothing is run to find out. If the command is a script, its interpreter is the program.
func commandScope(s *image.Set, command, env []string) (*Scope, error) {
	path, err := exec.LookPath(command[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		var inPath *fs.PathError // names the command again
		if errors.As(err, &inPath) {
			err = &exec.Error{Name: command[0], Err: inPath.Err}
		}
		return nil, fmt.Errorf("command: %w", err)
	}
	for range maxInterpreters {
		interp, err := scriptInterpreter(path)
		if err != nil {
			return nil, fmt.Errorf("command: %w", err)
		}
		if interp == "" {
			break
		}
		path = interp
	}

	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("command: %w", err)
	}

	sc := &Scope{finder: ldso.New(env), command: &proc.Invocation{Args: append(slices.Clone(command), path), Env: env, Dir: dir, Root: "/"}}
	if sc.Program, err = s.Get(sc.root, sc.PID, path, path); err != nil {
		return nil, fmt.Errorf("command: %w", err)
	}
	sc.addNeeded(s)
	return sc, nil
}

// executes reports whether the scope is of a command whose code may execute other programs, as that
// of a shell or an interpreter.
func (sc *Scope) executes() bool {
	return sc.command != nil && (sc.partial || slices.ContainsFunc(sc.all(), func(img *image.Image) bool {
		return !img.File.IsLibc() && img.File.Executes()
	}))
}

// maxInterpreters limits how many scripts in a row may be the interpreter of the one before, as in
// the kernel (BINPRM_MAX_RECURSION of fs/exec.c).
const maxInterpreters = 5

// scriptInterpreter returns the program that a script names after "#!", "" if the file is no
// script.
func scriptInterpreter(path string) (string, error) {
	// O_NONBLOCK: opening a FIFO must not wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", err
	}
	line, err := bufio.NewReaderSize(f, 256).ReadSlice('\n') // BINPRM_BUF_SIZE of the kernel
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
