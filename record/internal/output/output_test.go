//go:build linux

package output

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"utrace/format"
)

// writeTrace writes a trace with one event, or with none, into a file.
func writeTrace(t *testing.T, f *os.File, host string, event bool) (size int64) {
	t.Helper()
	w, err := format.NewWriter(f, format.Meta{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	fn := w.AddFunc(format.Func{Name: "f", Module: w.AddModule(format.Module{Path: "/bin/x"})})
	th := w.AddThread(format.Thread{PID: 1, TID: 1})
	if event {
		w.Append(&format.Event{Thread: th, Func: fn, Kind: format.Entry})
	}
	if err := w.Close(format.End{}); err != nil {
		t.Fatal(err)
	}
	return w.Size()
}

// replaceTrace publishes a trace at path.
func replaceTrace(t *testing.T, path, host string, event bool) {
	t.Helper()
	o, err := Create(path, false)
	if err != nil {
		t.Fatal(err)
	}
	size := writeTrace(t, o.File, host, event)
	if o.HoldsEvent(size) != event {
		t.Errorf("%s: holds an event: %v", host, !event)
	}
	if err := errors.Join(o.Publish(), o.Publish(), o.Close()); err != nil {
		t.Fatal(err)
	}
}

// wantHost checks which trace a file is.
func wantHost(t *testing.T, path, host string) {
	t.Helper()
	r, err := format.Open(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Close()
	if got := r.Meta().Host; got != host {
		t.Errorf("%s is trace %q, want %q", path, got, host)
	}
}

// wantFiles checks the names in a directory.
func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

// TestOutputKeepsOlder: the trace before becomes FILE.old. One without an event does not replace
// one with events there.
func TestOutputKeepsOlder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "t.arrow")
	for _, c := range []struct {
		host     string
		event    bool
		old      string
		numFiles int
	}{
		{"first", true, "", 1},
		{"second", true, "first", 2},
		{"empty", false, "second", 2},
		{"empty again", false, "second", 2},
		{"third", true, "second", 2},
		{"fourth", true, "third", 2},
	} {
		replaceTrace(t, path, c.host, c.event)
		wantHost(t, path, c.host)
		wantFiles(t, dir, []string{"t.arrow", "t.arrow.old"}[:c.numFiles]...)
		if c.old != "" {
			wantHost(t, path+".old", c.old)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestOutputUnpublished: without publish the older trace stays, and nothing is added. That is so on
// file systems without files that get their name later as well.
func TestOutputUnpublished(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "t.arrow")
	replaceTrace(t, path, "first", true)
	replaceTrace(t, path, "second", true)
	o, err := Create(path, false)
	if err != nil {
		t.Fatal(err)
	}
	writeTrace(t, o.File, "third", false)
	if namesLater(path) { // what a killed recorder leaves
		wantFiles(t, dir, "t.arrow", "t.arrow.old")
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}

	named, err := os.CreateTemp(dir, temporaryPrefix+"*")
	if err != nil {
		t.Fatal(err)
	}
	o = &File{File: named, path: path, temporary: named.Name()}
	writeTrace(t, o.File, "third", false)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, "t.arrow", "t.arrow.old")
	wantHost(t, path, "second")
	wantHost(t, path+".old", "first")
}

// TestOutputNamed: a file with a temporary name is published the same way.
func TestOutputNamed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "t.arrow")
	replaceTrace(t, path, "first", true)
	named, err := os.CreateTemp(dir, temporaryPrefix+"*")
	if err != nil {
		t.Fatal(err)
	}
	o := &File{File: named, path: path, temporary: named.Name()}
	writeTrace(t, o.File, "second", true)
	if err := errors.Join(o.Publish(), o.Close()); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, "t.arrow", "t.arrow.old")
	wantHost(t, path, "second")
	wantHost(t, path+".old", "first")
}

// TestOutputOlderFile: FILE.old is replaced by the same rules as FILE, and no link is followed.
func TestOutputOlderFile(t *testing.T) {
	for _, c := range []struct {
		name   string
		create func(old, precious string) error
		force  bool
		err    error
	}{
		{"not a trace", func(old, _ string) error { return os.WriteFile(old, []byte("precious"), 0o600) }, false, ErrNotTrace},
		{"not a trace, forced", func(old, _ string) error { return os.WriteFile(old, []byte("precious"), 0o600) }, true, nil},
		{"empty", func(old, _ string) error { return os.WriteFile(old, nil, 0o600) }, false, nil},
		{"link", func(old, precious string) error { return os.Symlink(precious, old) }, true, ErrNotRegular},
		{"directory", func(old, _ string) error { return os.Mkdir(old, 0o700) }, true, ErrNotRegular},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path, precious := filepath.Join(dir, "t.arrow"), filepath.Join(dir, "precious")
			replaceTrace(t, path, "first", true)
			if err := errors.Join(os.WriteFile(precious, []byte("precious"), 0o600), c.create(path+".old", precious)); err != nil {
				t.Fatal(err)
			}
			o, err := Create(path, c.force)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			wantHost(t, path, "first")
			if err == nil {
				writeTrace(t, o.File, "second", true)
				if err := errors.Join(o.Publish(), o.Close()); err != nil {
					t.Fatal(err)
				}
				wantHost(t, path, "second")
				wantHost(t, path+".old", "first")
			}
			if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" {
				t.Errorf("the file of the link: %q, %v", text, err)
			}
			wantFiles(t, dir, "precious", "t.arrow", "t.arrow.old")
		})
	}
}

// TestOutputNoDirectory: the error names the directory that does not exist.
func TestOutputNoDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := Create(filepath.Join(dir, "t.arrow"), false); err == nil || err.Error() != "there is no directory "+dir {
		t.Errorf("error %v", err)
	}
}

// TestOutputPublishedMeanwhile: another recording has written the file since this one began. No
// trace is lost.
func TestOutputPublishedMeanwhile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "t.arrow")
	o, err := Create(path, false)
	if err != nil {
		t.Fatal(err)
	}
	replaceTrace(t, path, "other", true)
	writeTrace(t, o.File, "this", true)
	if err := errors.Join(o.Publish(), o.Close()); err != nil {
		t.Fatal(err)
	}
	wantHost(t, path, "this")
	wantHost(t, path+".old", "other")
	wantFiles(t, dir, "t.arrow", "t.arrow.old")
}

// TestOutputNew: before the first event a trace gets its name only if that replaces nothing but an
// empty file.
func TestOutputNew(t *testing.T) {
	for _, c := range []struct {
		older     []byte // nil if there is no file
		published bool
	}{{nil, true}, {[]byte{}, true}, {[]byte("text"), false}} {
		path := filepath.Join(t.TempDir(), "t.arrow")
		if c.older != nil {
			if err := os.WriteFile(path, c.older, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		o, err := Create(path, true)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.PublishNew(); err != nil || o.Published != c.published {
			t.Errorf("over %q: %v, published %v", c.older, err, o.Published)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
}
