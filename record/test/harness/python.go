//go:build linux

package harness

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// Python is Debian's Python, which has static probes. Others of the same name may come first in
// PATH.
const Python = "/usr/bin/python3.11"

// NeedPython skips a test where Python cannot be recorded.
func NeedPython(t testing.TB) {
	t.Helper()
	NeedKernel(t)
	if _, err := os.Stat(Python); err != nil {
		t.Skipf("needs Debian's python3.11: %v", err)
	}
}

// PythonServer is Python's http.server.
type PythonServer struct {
	PID int
	URL string // of a page of 2,000 bytes
}

// StartPythonServer starts a server, waits until it answers, and kills it when the test ends.
func StartPythonServer(t testing.TB) *PythonServer {
	t.Helper()
	NeedPython(t)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/page.html", bytes.Repeat([]byte("x"), 2000), 0o600); err != nil {
		t.Fatal(err)
	}
	port := FreePort(t)
	cmd := exec.Command(Python, "-m", "http.server", "--bind", "127.0.0.1", strconv.Itoa(port))
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })

	s := &PythonServer{cmd.Process.Pid, fmt.Sprintf("http://127.0.0.1:%d/page.html", port)}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if resp, err := http.Get(s.URL); err == nil {
			resp.Body.Close()
			return s
		}
		if time.Now().After(deadline) {
			t.Fatal("http.server does not answer")
		}
	}
}

// Get requests the page, with a connection of its own.
func (s *PythonServer) Get() error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	resp, err := client.Get(s.URL)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && len(text) != 2000 {
		err = fmt.Errorf("%s: %d bytes", s.URL, len(text))
	}
	return err
}

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
