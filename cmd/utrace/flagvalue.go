package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"utrace/format"
)

// flagError makes the errors of flags usage errors. The flag values of this package say what they
// want; for flags that are on or off, flagError does.
func flagError(_ *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) && errors.As(err, new(*strconv.NumError)) {
		name := invalid.GetFlag().Name
		err = fmt.Errorf("--%s=%s: want --%s, or --%s=false", name, invalid.GetValue(), name, name)
	}
	return usageError{err}
}

// count is a flag such as 20.
type count int

func (c *count) String() string { return strconv.Itoa(int(*c)) }
func (c *count) Type() string   { return "N" }
func (c *count) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return errors.New("want a whole number from 1 on")
	}
	*c = count(n)
	return nil
}

// duration is a flag such as 200ms.
type duration time.Duration

func (d *duration) String() string {
	if *d == 0 {
		return ""
	}
	return time.Duration(*d).String()
}
func (d *duration) Type() string { return "TIME" }
func (d *duration) Set(text string) error {
	parsed, err := time.ParseDuration(text)
	if err != nil || parsed < 0 {
		return errors.New("want a time with its unit, such as 1.5s or 200ms")
	}
	*d = duration(parsed)
	return nil
}

// seconds is a flag such as 30s, 1m30s, or 30 for as many seconds.
type seconds time.Duration

func (s *seconds) String() string { return (*duration)(s).String() }
func (s *seconds) Type() string   { return "TIME" }
func (s *seconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		d, err = time.ParseDuration(text + "s")
	}
	if err != nil || d <= 0 {
		return errors.New("want a time such as 30s or 1m30s")
	}
	*s = seconds(d)
	return nil
}

// byteSize is a flag such as 8MiB.
type byteSize int64

func (b *byteSize) String() string {
	if *b == 0 {
		return ""
	}
	return strings.NewReplacer(" ", "", ".0", "").Replace(humanize.IBytes(uint64(*b)))
}
func (b *byteSize) Type() string { return "SIZE" }
func (b *byteSize) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n > 1<<62 {
		return errors.New("want a size such as 8MiB or 1GB")
	}
	*b = byteSize(n)
	return nil
}

// idList is a flag that may be repeated, or hold several numbers separated by commas.
type idList struct {
	ids *[]int
	of  string // "process" or "thread"
}

func (l *idList) String() string {
	if l.ids == nil {
		return ""
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(*l.ids), " ", ","), "[]")
}
func (l *idList) Type() string { return "ID" }
func (l *idList) Set(text string) error {
	for _, word := range strings.Split(text, ",") {
		id, err := strconv.Atoi(word)
		if err != nil || id <= 0 {
			return fmt.Errorf("%q is not a %s ID", word, l.of)
		}
		*l.ids = append(*l.ids, id)
	}
	return nil
}

// labels is a flag such as version=1.4.2 that may be repeated.
type labels map[string]string

func (l *labels) String() string { return "" }
func (l *labels) Type() string   { return "KEY=VALUE" }
func (l *labels) Set(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok {
		return errors.New("want KEY=VALUE, such as version=1.4.2")
	}
	if _, twice := (*l)[key]; twice {
		return fmt.Errorf("label %s is given twice", key)
	}
	if *l == nil {
		*l = labels{}
	}
	(*l)[key] = value
	return format.CheckLabels(*l)
}

// threadList is a list of thread IDs, and of goroutines and tracks as analyze.FlowName writes them.
type threadList struct {
	tids  idList
	flows *[]string
}

func (l *threadList) String() string {
	if l.flows == nil {
		return ""
	}
	return strings.TrimPrefix(strings.Join(append([]string{l.tids.String()}, *l.flows...), ","), ",")
}
func (l *threadList) Type() string { return "TID" }
func (l *threadList) Set(text string) error {
	for _, word := range strings.Split(text, ",") {
		if flow := strings.TrimLeft(word, "gs"); len(word) == len(flow)+1 {
			if n, err := strconv.ParseUint(flow, 10, 64); err == nil && n > 0 {
				*l.flows = append(*l.flows, word[:1]+strconv.FormatUint(n, 10))
				continue
			}
		}
		if l.tids.Set(word) != nil {
			return fmt.Errorf("%q is not a thread ID, a goroutine such as g18, or a track such as s1", word)
		}
	}
	return nil
}
