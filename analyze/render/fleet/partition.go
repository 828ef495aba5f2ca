package fleet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"utrace/analyze/render/columnar"
)

// Key is what a dataset is partitioned by.
type Key string

// The keys.
const (
	Host Key = "host"
	Date Key = "date" // on which a call began, in UTC
)

// ParseKeys parses keys, with commas between: host,date. The first is that of the outer directories.
func ParseKeys(text string) (keys []Key, err error) {
	for _, word := range strings.Split(text, ",") {
		key := Key(word)
		switch {
		case key != Host && key != Date:
			return nil, fmt.Errorf("%q: want host, date, or both: host,date", word)
		case slices.Contains(keys, key):
			return nil, fmt.Errorf("%s is given twice", key)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// maxDates limits the days that the calls of one recording lie in: each takes an open file.
const maxDates = 400

// noValue stands for an empty value, as in Hive.
const noValue = "__HIVE_DEFAULT_PARTITION__"

// directory is the part key=value of a path. Characters that are not plain become %XX, as in Hive.
func directory(key Key, value string) string {
	if value == "" {
		value = noValue
	}
	var b strings.Builder
	b.WriteString(string(key) + "=")
	for i := range len(value) {
		if c := value[i]; c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// table writes the files of one recording in one of the tables of a dataset: a file per date.
type table[T any] struct {
	root      *os.Root
	name      string // directory in the dataset
	keys      []Key
	columns   func() []columnar.Column[T]
	host      string
	recording string
	files     map[string]*part[T] // by path
}

// part is a file that is being written.
type part[T any] struct {
	*columnar.Writer[T]
	file      *os.File
	temporary string // its name until it is complete
}

// path returns the path of the recording's file for calls of a day.
func (t *table[T]) path(date string) string {
	dirs := []string{t.name}
	for _, key := range t.keys {
		value := t.host
		if key == Date {
			value = date
		}
		dirs = append(dirs, directory(key, value))
	}
	return path.Join(append(dirs, t.recording+".parquet")...)
}

// of returns the file for rows of a time.
func (t *table[T]) of(at time.Time) (*part[T], error) {
	name := t.path(at.Format(time.DateOnly))
	if p := t.files[name]; p != nil {
		return p, nil
	}
	if len(t.files) == maxDates {
		return nil, fmt.Errorf("the calls of %s lie in more than %d days", t.recording, maxDates)
	}
	if err := t.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return nil, err
	}
	temporary := path.Join(path.Dir(name), "."+t.recording+".part")
	f, err := t.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	w, err := columnar.NewWriter(f, t.name, t.columns())
	if err != nil {
		return nil, errors.Join(err, f.Close(), t.root.Remove(temporary))
	}
	if t.files == nil {
		t.files = map[string]*part[T]{}
	}
	p := &part[T]{w, f, temporary}
	t.files[name] = p
	return p, nil
}

// commit completes the files, and removes older files of the recording.
func (t *table[T]) commit() error {
	for name, p := range t.files {
		if err := errors.Join(p.Close(), p.file.Close()); err != nil {
			return err
		}
		if err := t.root.Rename(p.temporary, name); err != nil {
			return err
		}
	}
	err := t.removeOld(t.name, t.keys)
	t.files = nil
	return err
}

// abort removes the files that are not complete.
func (t *table[T]) abort() error {
	var errs []error
	for _, p := range t.files {
		p.file.Close() // perhaps for the second time
		if err := t.root.Remove(p.temporary); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	t.files = nil
	return errors.Join(errs...)
}

// removeOld removes the recording's files below a directory that were not written now.
func (t *table[T]) removeOld(dir string, keys []Key) error {
	if len(keys) == 0 {
		name := path.Join(dir, t.recording+".parquet")
		if t.files[name] != nil {
			return nil
		}
		if err := t.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if keys[0] == Host {
		return t.removeOld(path.Join(dir, directory(Host, t.host)), keys[1:])
	}
	names, err := list(t.root, dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, string(keys[0])+"=") {
			if err := t.removeOld(path.Join(dir, name), keys[1:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// list lists a directory; one that does not exist is empty.
func list(root *os.Root, dir string) ([]string, error) {
	f, err := root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return names, nil
}

// checkLayout fails if a table has directories of other keys: engines read only one layout.
func checkLayout(root *os.Root, dir string, keys []Key) error {
	names, err := list(root, dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		key, _, partitioned := strings.Cut(name, "=")
		switch {
		case strings.HasPrefix(name, "."):
		case len(keys) == 0 && partitioned:
			return fmt.Errorf("%s is partitioned by %s as well: give the same --partition as before", dir, key)
		case len(keys) > 0 && key != string(keys[0]):
			return fmt.Errorf("%s is not partitioned by %s: it has %s", dir, keys[0], name)
		case len(keys) > 0:
			return checkLayout(root, path.Join(dir, name), keys[1:]) // all others are like the first
		}
	}
	return nil
}
