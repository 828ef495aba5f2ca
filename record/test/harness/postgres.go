//go:build linux

package harness

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// PostgresBin is where Debian's PostgreSQL has its programs. Wrappers of the same names may come
// first in PATH.
const PostgresBin = "/usr/lib/postgresql/15/bin"

// Postgres is a server of the test's own, reached by a socket in its directory.
type Postgres struct {
	Dir string
	PID int // of the postmaster
}

// StartPostgres starts a server with the tables of pgbench, and stops it when the test ends.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	NeedKernel(t)
	for _, tool := range []string{PostgresBin + "/postgres", PostgresBin + "/pgbench", PostgresBin + "/psql", "runuser"} {
		NeedTool(t, tool)
	}
	if _, err := user.Lookup("postgres"); err != nil {
		t.Skipf("needs the user that Debian's PostgreSQL runs as: %v", err)
	}
	dir, err := os.MkdirTemp("/tmp", "utrace-pg") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	Run(t, "chown", "postgres", dir)

	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("runuser", append([]string{"-u", "postgres", "--", "env", "LC_ALL=C"}, args...)...)
		cmd.Dir = dir
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, text)
		}
	}
	data := dir + "/data"
	run(PostgresBin+"/initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-locale", "-E", "UTF8", "--no-sync")
	run(PostgresBin+"/pg_ctl", "-D", data, "-w", "-l", data+"/log", "-o", "-c listen_addresses= -k "+dir+
		" -c shared_preload_libraries=pg_stat_statements -c fsync=off -c shared_buffers=32MB -c autovacuum=off -c deadlock_timeout=60s", "start")
	t.Cleanup(func() { run(PostgresBin+"/pg_ctl", "-D", data, "-m", "fast", "-w", "stop") })

	text, err := os.ReadFile(data + "/postmaster.pid")
	if err != nil {
		t.Fatal(err)
	}
	p := &Postgres{Dir: dir}
	first, _, _ := strings.Cut(string(text), "\n")
	if p.PID, err = strconv.Atoi(first); err != nil {
		t.Fatal(err)
	}
	p.SQL(t, "create extension if not exists pg_stat_statements")
	p.Pgbench(t, "-i", "-s", "1", "-q")
	return p
}

// Command returns a command that runs one of PostgreSQL's programs as a client of the server.
func (p *Postgres) Command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(PostgresBin, name), args...)
	cmd.Env = append(os.Environ(), "PGHOST="+p.Dir, "PGPORT=5432", "PGUSER=postgres", "PGDATABASE=postgres", "LC_ALL=C")
	return cmd
}

// SQL runs statements, a message each, and returns what they print. It accepts statements that
// fail.
func (p *Postgres) SQL(t testing.TB, statements ...string) string {
	t.Helper()
	cmd := p.Command("psql", "-qXAt")
	cmd.Stdin = strings.NewReader(strings.Join(statements, ";\n") + ";\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// Pgbench runs pgbench and returns what it prints.
func (p *Postgres) Pgbench(t testing.TB, args ...string) string {
	t.Helper()
	out, err := p.Command("pgbench", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("pgbench: %v\n%s", err, out)
	}
	return string(out)
}

// Attached is what it took to record all functions of a process.
type Attached struct {
	Attach, Detach time.Duration // from the start until all are attached; from the end of the recording to the end of utrace
	CPU            time.Duration // of utrace in all
	Functions      int
}

// AttachPostgres records all functions of a process of PostgreSQL, for 0.1 s.
func AttachPostgres(t testing.TB) (a Attached) {
	t.Helper()
	NeedKernel(t)
	NeedTool(t, PostgresBin+"/postgres")
	// It writes 50 kB into a pipe that has room for 4, and that nobody reads.
	postgres := exec.Command(PostgresBin+"/postgres", "--describe-config")
	pipe, err := postgres.StdoutPipe()
	if err == nil {
		_, err = unix.FcntlInt(pipe.(*os.File).Fd(), unix.F_SETPIPE_SZ, 4096)
	}
	if err == nil {
		err = postgres.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer postgres.Wait()
	defer pipe.Close()

	trace := filepath.Join(t.TempDir(), "trace.arrow")
	rec := exec.Command(binary, "record", "-e", "*", "-o", trace, "-p", strconv.Itoa(postgres.Process.Pid))
	var stderr strings.Builder
	rec.Stderr = &stderr
	began := time.Now()
	if err := rec.Start(); err != nil {
		t.Fatal(err)
	}
	for ; !Written(trace); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			rec.Process.Kill()
			t.Fatal("nothing is attached after a minute")
		}
	}
	a.Attach = time.Since(began)
	time.Sleep(100 * time.Millisecond)

	began = time.Now()
	rec.Process.Signal(os.Interrupt)
	if err := rec.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	a.Detach, a.CPU = time.Since(began), rec.ProcessState.UserTime()+rec.ProcessState.SystemTime()
	if m := regexp.MustCompile(`of ([0-9,]+) functions`).FindStringSubmatch(stderr.String()); m != nil {
		a.Functions, _ = strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
	}
	return a
}
