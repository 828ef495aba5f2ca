//go:build linux

package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Start starts a program in the background, and kills it when the test ends. The buffer receives its
// standard output.
func Start(t *testing.T, path string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, &out
}

// WaitFor waits until a condition holds, for at most 10 s.
func WaitFor(t *testing.T, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited for 10 s in vain")
		}
	}
}

// Written says whether a recorder has written the beginning of its trace. It does so once its probes
// are attached.
func Written(trace string) bool {
	info, err := os.Stat(trace)
	return err == nil && info.Size() > 0
}

// AwaitTrace waits until a recorder has its probes on. stderr is the recorder's, and is shown if that
// takes more than 30 s.
func AwaitTrace(t testing.TB, trace string, stderr fmt.Stringer) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !Written(trace); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the recorder does not begin\n%s", stderr)
		}
	}
	time.Sleep(500 * time.Millisecond) // until they are turned on
}
