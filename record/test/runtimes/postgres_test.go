//go:build linux

package runtimes

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/record/test/harness"
)

// recordPostgres records the server from its postmaster on, while do runs.
func recordPostgres(t *testing.T, p *harness.Postgres, do func(), flags ...string) (trace string, r *harness.Report) {
	t.Helper()
	rec := harness.StartRecorder(t, append([]string{"--preset", "postgres", "-p", strconv.Itoa(p.PID), "--follow"}, flags...)...)
	rec.Await(t)
	do()
	time.Sleep(200 * time.Millisecond)
	stderr := rec.Stop(t)
	harness.Validate(t, rec.Trace)
	if r = harness.Analyze(t, rec.Trace); r.Trace.Lost != 0 {
		t.Skipf("%d events lost", r.Trace.Lost)
	}
	if strings.Contains(stderr, "postmaster") {
		t.Errorf("the postmaster is recorded with its children:\n%s", stderr)
	}
	return rec.Trace, r
}

// TestPostgres: queries, executions and transactions are the ones that pgbench makes. At its start
// pgbench makes two queries more.
func TestPostgres(t *testing.T) {
	p := harness.StartPostgres(t)
	for _, c := range []struct {
		name  string
		args  []string
		calls map[string]uint64
	}{
		{"select", []string{"-S", "-t", "100"}, map[string]uint64{"query": 202, "query__execute": 202}},
		// 2 x 50 transactions of 7 statements, and a transaction more for each connection, and for
		// each of the two queries.
		{"write", []string{"-t", "50"}, map[string]uint64{"query": 702, "query__execute": 702, "transaction": 105}},
		{"prepared", []string{"-S", "-M", "prepared", "-t", "100"}, map[string]uint64{"query": 2, "query__execute": 202}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, r := recordPostgres(t, p, func() { p.Pgbench(t, append([]string{"-n", "-c", "2"}, c.args...)...) })
			harness.WantCounts(t, "calls", r.Calls(), c.calls)
			for name, n := range r.Incomplete() {
				t.Errorf("%d incomplete calls of %s", n, name)
			}
		})
	}
}

// TestPostgresErrors: a query that fails is incomplete, and no later query lies inside it.
func TestPostgresErrors(t *testing.T) {
	p := harness.StartPostgres(t)
	trace, r := recordPostgres(t, p, func() { p.SQL(t, "select 1/0", "select 2", "selec", "select 3", "begin", "select 1/0", "rollback") })
	harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"query": 7})
	harness.WantCounts(t, "incomplete calls", r.Incomplete(), map[string]uint64{"query": 3, "transaction": 0})
	stdout, _, _ := harness.Utrace(t, "analyze", "--flow", "--function", "query", trace)
	for line := range strings.Lines(stdout) {
		if strings.Contains(line, "query(") && !strings.Contains(line, "| query(") {
			t.Errorf("a query lies in another one: %s", line)
		}
	}
	if !strings.Contains(stdout, `| query("select 2;");`) && !strings.Contains(stdout, `| query("select 2;") {`) {
		t.Errorf("no text of a query:\n%s", stdout)
	}
}

// TestPostgresLocks: a wait for a lock is a call of lock__wait.
func TestPostgresLocks(t *testing.T) {
	p := harness.StartPostgres(t)
	_, r := recordPostgres(t, p, func() {
		holder := p.Command("psql", "-qX")
		holder.Stdin = strings.NewReader("begin; lock table pgbench_branches; select pg_sleep(1); commit;\n")
		if err := holder.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(400 * time.Millisecond)
		p.SQL(t, "select count(*) from pgbench_branches")
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
	t.Errorf("nobody waited: %v", r.Calls())
}

// TestPostgresOpenSession: --follow also records children that the postmaster already has.
func TestPostgresOpenSession(t *testing.T) {
	p := harness.StartPostgres(t)
	session := p.Command("psql", "-qXAt")
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
	trace, r := recordPostgres(t, p, func() { ask("select 42"); ask("select 43") })
	stdin.Close()
	session.Wait()
	harness.WantCounts(t, "calls", r.Calls(), map[string]uint64{"query": 2, "query__execute": 2})
	if stdout, _, _ := harness.Utrace(t, "analyze", "--flow", trace); !strings.Contains(stdout, `query("select 42;")`) {
		t.Errorf("no query in\n%s", stdout)
	}
}

// TestPostgresLatency compares the execution time of statements with the server's own. Each takes
// some milliseconds.
func TestPostgresLatency(t *testing.T) {
	p := harness.StartPostgres(t)
	const statement = "select sum(abalance) from pgbench_accounts"
	script := filepath.Join(p.Dir, "script.sql")
	if err := os.WriteFile(script, []byte(statement+";\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.SQL(t, "select pg_stat_statements_reset()")
	_, r := recordPostgres(t, p, func() { p.Pgbench(t, "-n", "-c", "1", "-t", "50", "-f", script) }, "-e", "!usdt:postgresql:smgr*")
	var calls uint64
	var totalMs, meanMs float64
	row := p.SQL(t, "select calls, total_exec_time from pg_stat_statements where query = '"+statement+"'")
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

// TestPostgresPostmaster: if only the postmaster is recorded, a warning says which processes run
// the queries.
func TestPostgresPostmaster(t *testing.T) {
	p := harness.StartPostgres(t)
	_, stderr, status := harness.Utrace(t, "record", "-d", "100ms", "-o", t.TempDir()+"/trace.arrow", "--preset", "postgres", "-p", strconv.Itoa(p.PID))
	if status != 0 || strings.Count(stderr, "is the postmaster, which runs no queries; its ") != 1 {
		t.Errorf("status %d\n%s", status, stderr)
	}
}
