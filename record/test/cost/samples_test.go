//go:build linux

package cost

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"utrace/record"
	"utrace/record/internal/proc"
	"utrace/record/plan"
	"utrace/record/test/harness"
)

// samplesHz is how often a second the tests take samples: a whole second's are exact to 3 points.
const samplesHz = 997

// recordSamples records samples, of a running process for a second, or of a command (pid 0). It also
// records the calls of a function. It returns the trace.
func recordSamples(t *testing.T, pid int, function string, cfg record.Config) (trace string) {
	t.Helper()
	trace = filepath.Join(t.TempDir(), "trace.arrow")
	probes, err := record.ParseProbes(function)
	if err != nil {
		t.Fatal(err)
	}
	if pid != 0 {
		cfg.PIDs, cfg.Duration = []int{pid}, time.Second
	}
	cfg.Probes, cfg.Output, cfg.RingBytes, cfg.Samples = probes, trace, 1<<20, cmp.Or(cfg.Samples, samplesHz)
	sum, err := record.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range sum.Warnings {
		t.Errorf("warning: %s", text)
	}
	harness.Validate(t, trace)
	return trace
}

// samples are the samples of a trace, by function: those in it, and those in it or what it called.
type samples struct {
	all, unknown int
	leaf, on     map[string]int
	pids         map[int]int
}

func readSamples(t *testing.T, trace string) samples {
	t.Helper()
	tables, meta := harness.Tables(t, trace)
	if meta.SampleHz != samplesHz {
		t.Errorf("%d samples a second", meta.SampleHz)
	}
	s := samples{leaf: map[string]int{}, on: map[string]int{}, pids: map[int]int{}}
	for line := range strings.Lines(harness.Text(t, trace)) {
		var ns, fn int
		var thread, stack uint32
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[2] != "sample" {
			continue
		}
		if _, err := fmt.Sscanf(line, "%d %d sample %d value=%v", &ns, &thread, &fn, &stack); err != nil {
			s.unknown++
		}
		s.all++
		s.pids[tables.Threads[thread].PID]++
		seen := map[string]bool{}
		for leaf := true; stack != 0; leaf = false {
			place := tables.Stacks[stack-1]
			name := tables.Funcs[place.Func].Name
			if leaf {
				s.leaf[name]++
			}
			if !seen[name] {
				s.on[name]++
			}
			seen[name] = true
			stack = uint32(place.Outer)
		}
	}
	if uint64(s.all) != tables.End.Samples || tables.End.LostSamples != 0 {
		t.Errorf("%d samples; the end counts %d, and %d lost", s.all, tables.End.Samples, tables.End.LostSamples)
	}
	return s
}

// share checks the percentage of samples.
func (s *samples) share(t *testing.T, what string, n int, want float64) {
	t.Helper()
	scatter := math.Sqrt(want * (100 - want) / float64(s.all)) // a busy machine leaves few samples
	if got := 100 * float64(n) / float64(s.all); math.Abs(got-want) > max(6, 4*scatter) {
		t.Errorf("%s: %.1f%% of %d samples, want %.1f%%", what, got, s.all, want)
	}
}

// TestSamples: the samples of a program that is busy all the time show its functions in the
// proportion of their processor time, and their callers, whether these are probed or not. Another
// process that is as busy has none.
func TestSamples(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "samples.c", "-O1", "-fno-omit-frame-pointer")
	harness.Start(t, program, "60")
	cmd, out := harness.Start(t, program, "2.5")
	pid := uint32(cmd.Process.Pid)
	before, _ := proc.CPUTime(pid)
	began := time.Now()
	trace := recordSamples(t, cmd.Process.Pid, "now", record.Config{})
	s := readSamples(t, trace)
	after, ok := proc.CPUTime(pid)
	busy := (after - before).Seconds() / time.Since(began).Seconds()
	cmd.Wait()
	var heavy, light float64
	if _, err := fmt.Sscanf(out.String(), "heavy %g\nlight %g\n", &heavy, &light); err != nil {
		t.Fatalf("%v: %q", err, out)
	}

	if want := busy * samplesHz; !ok || math.Abs(float64(s.all)-want) > want/4 {
		t.Errorf("%d samples of a program that has used %.0f%% of a processor", s.all, 100*busy)
	}
	if len(s.pids) != 1 || s.unknown > 0 {
		t.Errorf("samples of processes %v, %d without a place", s.pids, s.unknown)
	}
	s.share(t, "in heavy", s.leaf["heavy"], 100*heavy/(heavy+light))
	s.share(t, "in light", s.leaf["light"], 100*light/(heavy+light))
	s.share(t, "in or below turn", s.on["turn"], 100)
	s.share(t, "in or below main", s.on["main"], 100)

	p := harness.Profile(t, trace)
	inProfile := samples{leaf: map[string]int{}}
	for _, at := range p.Sample {
		n := int(at.Value[len(at.Value)-1])
		inProfile.all += n
		inProfile.leaf[at.Location[0].Line[0].Function.Name] += n
	}
	if last := p.SampleType[len(p.SampleType)-1].Type; last != "samples" || inProfile.all != s.all || inProfile.leaf["heavy"] != s.leaf["heavy"] {
		t.Errorf("%d %s in the profile, %d of them in heavy", inProfile.all, last, inProfile.leaf["heavy"])
	}
}

// TestSamplesInTheKernel: time in system calls belongs to the function that makes them. Entries may
// have stacks as well, and warnings are about these only.
func TestSamplesInTheKernel(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "samples.c", "-O1", "-fno-omit-frame-pointer", "-static")
	cmd, _ := harness.Start(t, program, "60", "system")
	trace := recordSamples(t, cmd.Process.Pid, "now", record.Config{Config: plan.Config{Stacks: true}})
	s := readSamples(t, trace)
	if s.all < samplesHz/4 {
		t.Errorf("%d samples", s.all)
	}
	s.share(t, "below main", s.on["main"], 100)
	for line := range strings.Lines(harness.Text(t, trace)) {
		if strings.Contains(line, " entry ") && !strings.Contains(line, " value=") {
			t.Fatalf("an entry without a stack: %s", line)
		}
	}
}

// TestSamplesOfDeepStacks: a sample has the innermost places of a stack that is too deep, also if the
// sampled function has no frame.
func TestSamplesOfDeepStacks(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "samples.c", "-O1", "-fno-omit-frame-pointer", "-momit-leaf-frame-pointer", "-fno-optimize-sibling-calls")
	cmd, _ := harness.Start(t, program, "60", "deep")
	s := readSamples(t, recordSamples(t, cmd.Process.Pid, "now", record.Config{})) // which validates the trace
	s.share(t, "in heavy", s.leaf["heavy"], 100)
	s.share(t, "in what deepen called", s.on["deepen"], 100)
	s.share(t, "in or below main", s.on["main"], 0)
}

// TestSamplesOfChildren: processes that a command starts have samples from their first to their
// last instruction, each those of its own program.
func TestSamplesOfChildren(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "samples.c", "-O1", "-fno-omit-frame-pointer")
	command := []string{"sh", "-c", program + " 0.5 >/dev/null & " + program + " 0.5 >/dev/null; wait"}
	s := readSamples(t, recordSamples(t, 0, program+":now", record.Config{Config: plan.Config{Command: command, Follow: true}}))
	busy := 0
	for _, n := range s.pids {
		if n > samplesHz/50 {
			busy++
		}
	}
	if busy != 2 || s.unknown > s.all/20 {
		t.Errorf("samples of processes %v, %d without a place", s.pids, s.unknown)
	}
	s.share(t, "below turn", s.on["turn"], 100)
}

// TestSamplesOfNothing: a thread that does not run has no samples.
func TestSamplesOfNothing(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "samples.c", "-O1")
	cmd, _ := harness.Start(t, program, "60", "sleep")
	if s := readSamples(t, recordSamples(t, cmd.Process.Pid, "now", record.Config{})); s.all > 5 {
		t.Errorf("%d samples of a process that sleeps", s.all)
	}
}

// TestSamplesAreRefused: where the kernel refuses the clocks, the recording goes on, and says so
// once. Here it refuses their rate (kernel.perf_event_max_sample_rate).
func TestSamplesAreRefused(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "samples.c", "-O1")
	cmd, _ := harness.Start(t, program, "60")
	var notices []string
	notice := func(text string) {
		if strings.Contains(text, "samples") {
			notices = append(notices, text)
		}
	}
	trace := recordSamples(t, cmd.Process.Pid, "turn", record.Config{Samples: 1 << 30, Notice: notice})
	tables, meta := harness.Tables(t, trace)
	if meta.SampleHz != 0 || tables.End.Samples != 0 || tables.End.Events == 0 {
		t.Errorf("%d samples at %d Hz, %d events", tables.End.Samples, meta.SampleHz, tables.End.Events)
	}
	if len(notices) != 1 || !strings.HasPrefix(notices[0], "no samples of CPU time: perf event for the clock of CPU 0: invalid argument") {
		t.Errorf("notices %q", notices)
	}
}

// TestSamplesAreLeftOut: with calls that are deferred, a sample would come before the entries of
// the calls around it.
func TestSamplesAreLeftOut(t *testing.T) {
	harness.NeedKernel(t)
	program := harness.Target(t, "samples.c", "-O1")
	cmd, _ := harness.Start(t, program, "60")
	trace := recordSamples(t, cmd.Process.Pid, "turn", record.Config{Config: plan.Config{SlowerThan: time.Microsecond}})
	if tables, meta := harness.Tables(t, trace); meta.SampleHz != 0 || tables.End.Samples != 0 || tables.End.Events == 0 {
		t.Errorf("%d samples at %d Hz, %d events", tables.End.Samples, meta.SampleHz, tables.End.Events)
	}
}
