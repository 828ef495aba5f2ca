package format

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The text twin of a trace, for tests and for people. Each line is one of:
//
//	meta {…}     first; other definitions are module, func, process, thread, loss, left-out,
//	             removed, calibration, dropped, stack, end
//	1500 0 return 3 sp=0x7ffc00 value=0x5 cpu=1
//	flush
//
// An event, an exit, a sample, or a row of the scheduler has its time in ns since the start, thread,
// kind, function, and the other columns that are not zero. Its JSON array of values comes last,
// after args=. flush ends a batch. Empty lines and lines that begin with # are skipped.

// maxTextLine is the longest line of text, in bytes.
const maxTextLine = 1 << 20

// maxTextNs is the latest time of an event in text, a year: long gaps become rows of kind Pause.
const maxTextNs = 365 * 24 * uint64(time.Hour)

// ReadText turns text into a trace, written to f. Errors name the line.
func ReadText(text io.Reader, f File) error {
	var w *Writer
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, maxTextLine)
	var end *End
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		var err error
		switch {
		case word == "meta" && w == nil:
			var m Meta
			if err = json.Unmarshal([]byte(rest), &m); err == nil {
				w, err = NewWriter(f, m)
			}
		case w == nil:
			err = fmt.Errorf("%q before meta", word)
		case end != nil:
			err = fmt.Errorf("%q after end", word)
		case word == "end":
			end = new(End)
			err = json.Unmarshal([]byte(rest), end)
		default:
			err = w.addText(word, rest)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	switch err := lines.Err(); {
	case err != nil:
		return err
	case w == nil:
		return fmt.Errorf("no meta line")
	case end == nil: // like the file of a recorder that was killed
		return w.Flush()
	}
	return w.Close(*end)
}

func (w *Writer) addText(word, rest string) error {
	info := []byte(rest)
	switch word {
	case "flush":
		return w.Flush()
	case "module":
		return addJSON(info, func(m Module) { w.AddModule(m) })
	case "func":
		var f Func
		if err := json.Unmarshal(info, &f); err != nil {
			return err
		}
		if uint32(f.Module) >= w.counts.modules {
			return fmt.Errorf("module %d is not defined", f.Module)
		}
		w.AddFunc(f)
		return nil
	case "process":
		return addJSON(info, w.AddProcess)
	case "thread":
		return addJSON(info, func(t Thread) { w.AddThread(t) })
	case "loss":
		return addJSON(info, w.AddLoss)
	case "left-out":
		return addJSON(info, w.AddLeftOut)
	case "survey":
		return addJSON(info, w.AddSurvey)
	case "probe-set":
		return addJSON(info, func(s ProbeSet) { w.AddProbeSet(s) })
	case "window":
		return addJSON(info, w.AddWindow)
	case "dropped":
		return addJSON(info, w.AddDropped)
	case "calibration":
		return addJSON(info, w.AddCalibration)
	case "stack":
		return addJSON(info, func(s Stack) { w.AddStack(s) })
	}
	rest, args, _ := strings.Cut(rest, " args=")
	e, err := parseEvent(word, rest)
	if err != nil {
		return err
	}
	if int(e.Thread) >= len(w.threads) {
		return fmt.Errorf("thread %d is not defined", e.Thread)
	}
	if args == "" {
		return w.Append(&e)
	}
	if !isArray(args) {
		return fmt.Errorf("args=%s is not a JSON array", args)
	}
	return w.AppendArgs(&e, args)
}

func isArray(text string) bool {
	var list []json.RawMessage
	return json.Unmarshal([]byte(text), &list) == nil && list != nil
}

func addJSON[T any](info []byte, add func(T)) error {
	var v T
	if err := json.Unmarshal(info, &v); err != nil {
		return err
	}
	add(v)
	return nil
}

func parseEvent(word, rest string) (e Event, err error) {
	fields := append([]string{word}, strings.Fields(rest)...)
	if len(fields) < 4 {
		return e, fmt.Errorf("%q is neither a definition nor an event: TIME THREAD KIND FUNC", word)
	}
	number := func(s string, bits int) uint64 {
		n, perr := strconv.ParseUint(s, 0, bits)
		if perr != nil && err == nil {
			err = perr
		}
		return n
	}
	if e.TimeNs = number(fields[0], 64); err == nil && e.TimeNs > maxTextNs {
		err = fmt.Errorf("%d ns are more than a year", e.TimeNs)
	}
	e.Thread = ThreadID(number(fields[1], 32))
	e.Func = FuncID(number(fields[3], 32))
	known := false
	for kind, name := range kindNames() {
		if name == fields[2] && (kind.IsEvent() || kind.IsSched() || kind == Exit || kind == Sample) {
			e.Kind, known = kind, true
		}
	}
	if !known {
		return e, fmt.Errorf("%q is no kind of event", fields[2])
	}
	for _, field := range fields[4:] {
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "sp":
			e.SP = number(value, 64)
		case "value":
			e.Value = number(value, 64)
		case "cpu":
			e.CPU = uint16(number(value, 16))
		default:
			return e, fmt.Errorf("%q is not sp=, value= or cpu=", field)
		}
	}
	return e, err
}

// WriteText writes a trace as text, up to the end of its readable part.
func WriteText(w io.Writer, r *Reader) error {
	out := bufio.NewWriter(w)
	meta, err := json.Marshal(r.Meta())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "meta %s\n", meta)
	err = eachBatch(r, func(b *Batch, tables *Tables, clocks []clock) error {
		for _, d := range b.Defs {
			fmt.Fprintf(out, "%s %s\n", d.Kind, d.Info)
		}
		if len(b.Defs) == 0 {
			for i := range b.Rows {
				e := clocks[b.Thread[i]].event(b, i)
				if e.Kind == Pause || e.Kind == StackBase {
					continue
				}
				fmt.Fprintf(out, "%d %d %s %d", e.TimeNs, e.Thread, e.Kind, e.Func)
				if e.SP != 0 {
					fmt.Fprintf(out, " sp=%#x", e.SP)
				}
				if e.Value != 0 {
					fmt.Fprintf(out, " value=%#x", e.Value)
				}
				if e.CPU != 0 {
					fmt.Fprintf(out, " cpu=%d", e.CPU)
				}
				if args := b.Args(i); len(args) > 0 {
					fmt.Fprintf(out, " args=%s", args)
				}
				out.WriteByte('\n')
			}
			fmt.Fprintln(out, "flush")
		}
		return nil
	})
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	return err
}

// clock is the running state of one thread while rows are read in order.
type clock struct{ timeNs, base uint64 }

// event moves the clock by row i of a batch and returns the row as an event.
func (c *clock) event(b *Batch, i int) Event {
	c.timeNs += uint64(b.DeltaNs[i])
	e := Event{TimeNs: c.timeNs, Thread: ThreadID(b.Thread[i]), Func: FuncID(b.Func[i]), Kind: Kind(b.Kind[i]), CPU: b.CPU[i], Value: b.Value[i]}
	if e.Kind == StackBase {
		c.base = e.Value
	}
	if b.StackBytes[i] != 0 {
		e.SP = c.base - uint64(b.StackBytes[i])
	}
	return e
}

// eachBatch reads a trace to its end, with all columns. clocks has those of the threads defined so
// far; rows with other threads are an error.
func eachBatch(r *Reader, fn func(b *Batch, tables *Tables, clocks []clock) error) error {
	d, err := NewDecoder()
	if err != nil {
		return err
	}
	defer d.Close()
	var (
		m      Message
		b      Batch
		tables Tables
		clocks []clock
	)
	for r.Next(&m) == nil {
		err := d.Decode(&m, Columns{CPU: true, Value: true, Args: true}, &b)
		for _, def := range b.Defs {
			if err == nil {
				err = tables.Apply(def)
			}
		}
		clocks = slices.Grow(clocks, len(tables.Threads)-len(clocks))[:len(tables.Threads)]
		if len(b.Defs) == 0 {
			for _, t := range b.Thread {
				if int(t) >= len(clocks) && err == nil {
					err = fmt.Errorf("thread %d is not defined", t)
				}
			}
		}
		if err == nil {
			err = fn(&b, &tables, clocks)
		}
		if err != nil {
			return fmt.Errorf("batch at byte %d: %w", m.offset, err)
		}
	}
	return nil
}
