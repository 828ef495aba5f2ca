//go:build linux

package bench

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// lookedAt is a server under load.
type lookedAt struct {
	pid      int
	flags    []string                      // of record, beside the process
	function string                        // called once a request
	probe    []string                      // the flags that record it alone
	client   func() (request func() error) // of one connection
}

func lookAtRedis(b *testing.B) lookedAt {
	harness.NeedTool(b, "redis-server")
	s := startRedis(b)
	return lookedAt{s.pid, nil, "processCommand", []string{"-e", "processCommand"}, func() func() error {
		return lineClient(b, s.port, "*2\r\n$3\r\nGET\r\n$1\r\nx\r\n")
	}}
}

func lookAtGo(b *testing.B) lookedAt {
	pid, address := startServer(b, exec.Command(harness.GoTarget(b, "web")))
	return lookedAt{pid, nil, "main.plain", []string{"-e", "main.plain"}, func() func() error { return httpClient("http://" + address + "/plain") }}
}

func lookAtPython(b *testing.B) lookedAt {
	harness.NeedPython(b)
	s := harness.StartPythonServer(b)
	return lookedAt{s.PID, nil, "server.py.do_GET", []string{"--preset", "python"}, func() func() error { return httpClient(s.URL) }}
}

func lookAtPostgres(b *testing.B) lookedAt {
	p := harness.StartPostgres(b)
	return lookedAt{p.PID, []string{"--follow"}, "PortalRun", []string{"-e", "PortalRun"}, func() func() error {
		return queryClient(b, filepath.Join(p.Dir, ".s.PGSQL.5432"))
	}}
}

func lookAtCPP(b *testing.B) lookedAt {
	pid, address := startServer(b, exec.Command(harness.Target(b, "pool.cpp", "-O2", "-std=c++17")))
	_, port, _ := net.SplitHostPort(address)
	return lookedAt{pid, nil, "answer", []string{"-e", "answer"}, func() func() error { return lineClient(b, port, "seventeen words\n") }}
}

func lookAtJava(b *testing.B) lookedAt {
	java, dir := harness.Javac(b, "Web.java")
	pid, address := startServer(b, exec.Command(java, "-XX:+DTraceMethodProbes", "-Dsun.net.httpserver.nodelay=true", "-cp", dir, "Web"))
	return lookedAt{pid, nil, "Web.handle", []string{"--preset", "java"}, func() func() error { return httpClient("http://" + address + "/") }}
}

func lookAtPHP(b *testing.B) lookedAt {
	const php = "/usr/bin/php8.2"
	harness.NeedTool(b, php)
	address := "127.0.0.1:" + strconv.Itoa(harness.FreePort(b))
	cmd := exec.Command(php, "-S", address, harness.Testdata(b, "targets/runtimes/web.php"))
	cmd.Env = append(os.Environ(), "USE_ZEND_DTRACE=1")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	get := httpClient("http://" + address + "/")
	for began := time.Now(); get() != nil; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			b.Fatal("php -S does not answer")
		}
	}
	return lookedAt{cmd.Process.Pid, nil, "answer", []string{"--preset", "php"}, func() func() error { return httpClient("http://" + address + "/") }}
}

// lineClient sends a request, and reads a line, by a connection to a port of this machine.
func lineClient(b *testing.B, port, request string) func() error {
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		b.Fatal(err)
	}
	r := bufio.NewReader(conn)
	return func() error {
		if _, err := io.WriteString(conn, request); err != nil {
			return err
		}
		_, err := r.ReadString('\n')
		return err
	}
}

func httpClient(url string) func() error {
	c := &http.Client{Transport: &http.Transport{}}
	return func() error {
		resp, err := c.Get(url)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
}

// queryClient runs queries as pgbench -S does, by PostgreSQL's simple protocol
// (https://www.postgresql.org/docs/15/protocol-flow.html).
func queryClient(b *testing.B, socket string) func() error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	r := bufio.NewReader(conn)
	send := func(kind, body string) error {
		message := binary.BigEndian.AppendUint32([]byte(kind), uint32(4+len(body)))
		_, err := conn.Write(append(message, body...))
		return err
	}
	ready := func() error { // until ReadyForQuery
		var head [5]byte
		for head[0] != 'Z' {
			if _, err := io.ReadFull(r, head[:]); err != nil {
				return err
			}
			if _, err := r.Discard(int(binary.BigEndian.Uint32(head[1:])) - 4); err != nil {
				return err
			}
			if head[0] == 'E' {
				return errors.New("postgres answers with an error")
			}
		}
		return nil
	}
	if err := errors.Join(send("", "\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00"), ready()); err != nil {
		b.Fatal(err)
	}
	n := 0
	return func() error {
		n = n*31%99991 + 1
		if err := send("Q", fmt.Sprintf("SELECT abalance FROM pgbench_accounts WHERE aid = %d;\x00", n)); err != nil {
			return err
		}
		return ready()
	}
}

// startServer starts a program, and returns its process and the address that it prints first.
func startServer(b *testing.B, cmd *exec.Cmd) (pid int, address string) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return cmd.Process.Pid, strings.TrimPrefix(strings.TrimSpace(line), "http://")
}
