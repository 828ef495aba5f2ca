package render

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A symbolic link of another user does not choose which file is replaced: the last one in a path or
// an earlier one, to a file or to a directory, in any directory.
func TestForeignLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make links of other users")
	}
	const other = 65534
	text := func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }
	for _, c := range []struct {
		name, link, path string // link leads from there to the file or its directory
		owner            int
		mode             os.FileMode
		dirOwner         int
		refused          bool
	}{
		{"sticky", "out", "out", other, 0o1777, 0, true},
		{"their own directory", "out", "out", other, 0o755, other, true},
		{"directory", "dir", "dir/file", other, 0o1777, 0, true},
		{"chain", "out", "first", other, 0o1777, 0, true},
		{"ours", "out", "out", 0, 0o1777, 0, false},
		{"ours in their directory", "dir", "dir/file", 0, 0o755, other, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			home, shared := t.TempDir(), t.TempDir()
			target := filepath.Join(home, "file")
			to := target
			if c.link == "dir" {
				to = home
			}
			link := filepath.Join(shared, c.link)
			for _, err := range []error{
				os.WriteFile(target, []byte("old"), 0o600), os.Symlink(to, link), os.Lchown(link, c.owner, c.owner),
				os.Symlink(link, filepath.Join(shared, "first")), os.Chown(shared, c.dirOwner, c.dirOwner), os.Chmod(shared, c.mode),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			err := File(filepath.Join(shared, c.path), text)
			if errors.Is(err, ErrForeignLink) != c.refused || !c.refused && err != nil {
				t.Errorf("error %v", err)
			}
			want := "new"
			if c.refused {
				want = "old"
			}
			if got, err := os.ReadFile(target); string(got) != want {
				t.Errorf("%v: %q, want %q", err, got, want)
			}
		})
	}
}

// Output may go to a pipe by its name in /proc, whose links lead to no path.
func TestFileIntoPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	path := fmt.Sprint("/proc/self/fd/", w.Fd())
	if _, err := os.Stat(path); err != nil {
		t.Skip("no /proc")
	}
	if err := File(path, func(w io.Writer) error { _, err := io.WriteString(w, "text"); return err }); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if got, err := io.ReadAll(r); string(got) != "text" {
		t.Errorf("%v: %q", err, got)
	}
}
