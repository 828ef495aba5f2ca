//go:build linux

package plan

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"utrace/record/internal/elffile"
	"utrace/record/internal/image"
	"utrace/record/internal/probe"
)

// fakeProcess returns a process that has mapped a fixture under other names.
func fakeProcess(t *testing.T, pid int, name string, paths ...string) runningProcess {
	t.Helper()
	r := runningProcess{pid: pid, name: name}
	for _, path := range paths {
		file, err := elffile.OpenAs("../../testdata/elf/pie.elf", path, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { file.Close() })
		r.files = append(r.files, &image.Image{Path: path, File: file})
	}
	return r
}

// TestChoose checks which processes get a preset, and which are skipped.
func TestChoose(t *testing.T) {
	chosen, passed := choosePresets([]runningProcess{
		fakeProcess(t, 10, "server", "/usr/bin/server", "/usr/lib/libssl.so.3"),
		fakeProcess(t, 11, "server", "/usr/bin/server", "/usr/lib/libssl.so.3", "/usr/lib/libsqlite3.so.0.8.6"),
		fakeProcess(t, 12, "client", "/usr/bin/client", "/usr/lib/libssl.so.3"),
		fakeProcess(t, 13, "python3.12", "/usr/bin/python3.12"),
		fakeProcess(t, 14, "cat", "/bin/cat"),
	})
	var got []string
	for _, c := range chosen {
		got = append(got, c.Preset+": "+strings.Join(c.Processes, ", "))
	}
	if want := []string{"tls: server (2 processes), client (process 12)", "sqlite: server (process 11)"}; !slices.Equal(got, want) {
		t.Errorf("chosen %q, want %q", got, want)
	}
	if want := []string{"python3.12 (process 13): its Python was built without static probes"}; !slices.Equal(passed, want) {
		t.Errorf("passed over %q, want %q", passed, want)
	}
}

// TestChooseNothing checks the error on a machine where no preset fits.
func TestChooseNothing(t *testing.T) {
	list := []runningProcess{fakeProcess(t, 13, "python3.12", "/usr/bin/python3.12"), fakeProcess(t, 14, "cat", "/bin/cat")}
	chosen, passed := choosePresets(list)
	if len(chosen) > 0 {
		t.Errorf("chosen: %v", chosen)
	}
	err := noChoice(len(list), 0, passed)
	if !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), "no preset fits any running process, and no program used more than 1% of a CPU (2 processes were examined); ") || !strings.Contains(err.Error(), "python3.12 (process 13)") {
		t.Errorf("error: %v", err)
	}
	if err := noChoice(1, 16, nil); !strings.Contains(err.Error(), "(1 process was examined; permission denied for 16: run utrace as root (sudo)") {
		t.Errorf("error: %v", err)
	}
}

// TestChoosersHavePresets checks that the presets of all choosers exist.
func TestChoosersHavePresets(t *testing.T) {
	for _, c := range choosers() {
		if _, err := probe.FindPreset(c.preset); err != nil {
			t.Error(err)
		}
	}
}
