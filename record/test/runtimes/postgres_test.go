//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const postgresBin = "/usr/lib/postgresql/15/bin"

// postgres is a PostgreSQL of its own, which is reached by a socket in its directory.
type postgres struct {
	dir string
	pid int // of the postmaster
}

func startPostgres(t testing.TB) *postgres {
	t.Helper()
	needKernel(t)
	for _, tool := range []string{postgresBin + "/postgres", "pgbench", "psql", "runuser"} {
		needTool(t, tool)
	}
	dir, err := os.MkdirTemp("/tmp", "utrace-pg") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	p := &postgres{dir: dir}
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("runuser", append([]string{"-u", "postgres", "--", "env", "LC_ALL=C"}, args...)...)
		cmd.Dir = dir
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, text)
		}
	}
	if text, err := exec.Command("chown", "postgres", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	data := dir + "/data"
	run(postgresBin+"/initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-locale", "-E", "UTF8", "--no-sync")
	run(postgresBin+"/pg_ctl", "-D", data, "-w", "-l", data+"/log", "-o", "-c listen_addresses= -k "+dir+
		" -c shared_preload_libraries=pg_stat_statements -c fsync=off -c shared_buffers=32MB -c autovacuum=off -c deadlock_timeout=60s", "start")
	t.Cleanup(func() { run(postgresBin+"/pg_ctl", "-D", data, "-m", "fast", "-w", "stop") })
	text, err := os.ReadFile(data + "/postmaster.pid")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if p.pid, err = strconv.Atoi(first); err != nil {
		t.Fatal(err)
	}
	p.sql(t, "create extension if not exists pg_stat_statements")
	p.pgbench(t, "-i", "-s", "1", "-q")
	return p
}

func (p *postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "PGHOST="+p.dir, "PGPORT=5432", "PGUSER=postgres", "PGDATABASE=postgres", "LC_ALL=C")
	return cmd
}

// sql runs statements, a message each, and returns what they print. Errors of theirs are none of ours.
func (p *postgres) sql(t testing.TB, statements ...string) string {
	t.Helper()
	cmd := p.command("psql", "-qXAt")
	cmd.Stdin = strings.NewReader(strings.Join(statements, ";\n") + ";\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (p *postgres) pgbench(t testing.TB, args ...string) string {
	t.Helper()
	out, err := p.command("pgbench", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("pgbench: %v\n%s", err, out)
	}
	return string(out)
}

// record records the server, by way of its postmaster, while do runs.
func (p *postgres) record(t *testing.T, do func(), flags ...string) (trace string, r *report) {
	t.Helper()
	trace = filepath.Join(t.TempDir(), "trace.arrow")
	rec := exec.Command(utracePath, append([]string{"record", "-o", trace, "--preset", "postgres", "-p", strconv.Itoa(p.pid), "--follow"}, flags...)...)
	var stderr bytes.Buffer
	rec.Stderr = &stderr
	if err := rec.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rec.Process.Kill() })
	awaitTrace(t, trace, &stderr)
	do()
	time.Sleep(200 * time.Millisecond)
	rec.Process.Signal(os.Interrupt)
	if err := rec.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	validate(t, trace)
	if r = analyzeTrace(t, trace); r.Trace.Lost != 0 {
		t.Skipf("%d events lost", r.Trace.Lost)
	}
	if strings.Contains(stderr.String(), "postmaster") {
		t.Errorf("the postmaster is recorded with its children:\n%s", stderr.String())
	}
	return trace, r
}

// TestPostgres: queries, their execution and transactions are those that pgbench makes. It asks two queries
// of its own when it starts.
func TestPostgres(t *testing.T) {
	p := startPostgres(t)
	for _, c := range []struct {
		name  string
		args  []string
		calls map[string]uint64
	}{
		{"select", []string{"-S", "-t", "100"}, map[string]uint64{"query": 202, "query__execute": 202}},
		// Two transactions of 7 statements; a transaction more for each connection, and for each of the two queries.
		{"write", []string{"-t", "50"}, map[string]uint64{"query": 702, "query__execute": 702, "transaction": 105}},
		{"prepared", []string{"-S", "-M", "prepared", "-t", "100"}, map[string]uint64{"query": 2, "query__execute": 202}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, r := p.record(t, func() { p.pgbench(t, append([]string{"-n", "-c", "2"}, c.args...)...) })
			wantCounts(t, "calls", r.calls(), c.calls)
			for name, n := range r.incomplete() {
				t.Errorf("%d incomplete calls of %s", n, name)
			}
		})
	}
}

// TestPostgresErrors: a query that fails has no end of its own, and no later one lies in it.
func TestPostgresErrors(t *testing.T) {
	p := startPostgres(t)
	trace, r := p.record(t, func() { p.sql(t, "select 1/0", "select 2", "selec", "select 3", "begin", "select 1/0", "rollback") })
	wantCounts(t, "calls", r.calls(), map[string]uint64{"query": 7})
	wantCounts(t, "incomplete calls", r.incomplete(), map[string]uint64{"query": 3, "transaction": 0})
	stdout, _, _ := utrace(t, "analyze", "--flow", "--function", "query", trace)
	for line := range strings.Lines(stdout) {
		if strings.Contains(line, "query(") && !strings.Contains(line, "| query(") {
			t.Errorf("a query lies in another one: %s", line)
		}
	}
	if !strings.Contains(stdout, `| query("select 2;");`) && !strings.Contains(stdout, `| query("select 2;") {`) {
		t.Errorf("no text of a query:\n%s", stdout)
	}
}

// TestPostgresLocks: who waits for a lock is seen to wait for it.
func TestPostgresLocks(t *testing.T) {
	p := startPostgres(t)
	_, r := p.record(t, func() {
		holder := p.command("psql", "-qX")
		holder.Stdin = strings.NewReader("begin; lock table pgbench_branches; select pg_sleep(1); commit;\n")
		if err := holder.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(400 * time.Millisecond)
		p.sql(t, "select count(*) from pgbench_branches")
		holder.Wait()
	})
	for _, f := range r.Functions {
		if f.Name == "lock__wait" {
			if f.Calls != 1 || f.Incomplete != 0 || f.TotalNs < 50e6 || f.TotalNs > 5e9 {
				t.Errorf("lock__wait: %+v", f)
			}
			return
		}
	}
	t.Errorf("nobody waited: %v", r.calls())
}

// TestPostgresOpenSession: --follow records the children that the postmaster has already, too.
func TestPostgresOpenSession(t *testing.T) {
	p := startPostgres(t)
	session := p.command("psql", "-qXAt")
	stdin, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(stdout)
	ask := func(query string) {
		t.Helper()
		io.WriteString(stdin, query+";\n")
		if !answers.Scan() {
			t.Fatalf("no answer to %s", query)
		}
	}
	ask("select 1")
	trace, r := p.record(t, func() { ask("select 42"); ask("select 43") })
	stdin.Close()
	session.Wait()
	wantCounts(t, "calls", r.calls(), map[string]uint64{"query": 2, "query__execute": 2})
	if stdout, _, _ := utrace(t, "analyze", "--flow", trace); !strings.Contains(stdout, `query("select 42;")`) {
		t.Errorf("no query in\n%s", stdout)
	}
}

// TestPostgresLatency compares how long statements are executed with what the server says. Each takes some milliseconds.
func TestPostgresLatency(t *testing.T) {
	p := startPostgres(t)
	const statement = "select sum(abalance) from pgbench_accounts"
	script := filepath.Join(p.dir, "script.sql")
	if err := os.WriteFile(script, []byte(statement+";\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.sql(t, "select pg_stat_statements_reset()")
	_, r := p.record(t, func() { p.pgbench(t, "-n", "-c", "1", "-t", "50", "-f", script) }, "-e", "!usdt:postgresql:smgr*")
	var calls uint64
	var totalMs, meanMs float64
	row := p.sql(t, "select calls, total_exec_time from pg_stat_statements where query = '"+statement+"'")
	if _, err := fmt.Sscanf(strings.ReplaceAll(row, "|", " "), "%d %f", &calls, &totalMs); err != nil || calls != 50 {
		t.Fatalf("pg_stat_statements: %q: %v", row, err)
	}
	meanMs = totalMs / float64(calls)
	for _, f := range r.Functions {
		if f.Name == "query__execute" {
			ours := float64(f.TotalNs) / 1e6 / float64(f.Calls)
			t.Logf("mean %.3f ms; pg_stat_statements %.3f ms", ours, meanMs)
			if ours < 0.95*meanMs || ours > 1.05*meanMs+0.1 {
				t.Errorf("a statement takes %.3f ms, by pg_stat_statements %.3f ms", ours, meanMs)
			}
		}
	}
}

// TestPostgresPostmaster: who records the postmaster alone is told where the queries are.
func TestPostgresPostmaster(t *testing.T) {
	p := startPostgres(t)
	_, stderr, status := utrace(t, "record", "-d", "100ms", "-o", t.TempDir()+"/trace.arrow", "--preset", "postgres", "-p", strconv.Itoa(p.pid))
	if status != 0 || strings.Count(stderr, "is the postmaster, which runs no queries; its ") != 1 {
		t.Errorf("status %d\n%s", status, stderr)
	}
}
