//go:build linux

package plan

import (
	"os"
	"strings"
	"testing"

	"utrace/record/internal/image"
	"utrace/record/internal/proc"
)

// TestTextReader: programs that read code are known by name, script, option, variable and library.
// Others, and arguments that only look like these, are not.
func TestTextReader(t *testing.T) {
	program, other := image.Key{Ino: 1}, image.Key{Ino: 2}
	for _, c := range []struct {
		args string // the last is the program
		env  string
		libs []string
		want string // part of the reason
		own  bool   // it reads its program
		any  bool   // it reads every file
	}{
		{args: "valgrind.bin -q ls /usr/bin/valgrind.bin", want: "translates", own: true, any: true},
		{args: "valgrind -q ls /usr/libexec/valgrind/memcheck-amd64-linux", want: "translates", own: true, any: true},
		{args: "/bin/sh /usr/bin/valgrind -q ls /usr/bin/dash", want: "translates", own: true, any: true},
		{args: "qemu-aarch64-static prog /usr/bin/qemu-aarch64-static", want: "translates", own: true, any: true},
		{args: "gdb prog /usr/bin/gdb", want: "debugs"},
		{args: "node --use-largepages=on x.js /usr/bin/node", want: "--use-largepages=on", own: true},
		{args: "node x.js /usr/bin/node", env: "NODE_OPTIONS=--inspect --use-largepages=silent", want: "silent", own: true},
		{args: "php -d opcache.huge_code_pages=1 x.php /usr/bin/php8.2", want: "huge_code_pages", own: true},
		{args: "prog /usr/bin/prog", env: "LD_PRELOAD=/x/libc.so:/usr/lib/libhugetlbfs.so.0", want: "libhugetlbfs.so.0", own: true},
		{args: "prog /usr/bin/prog", libs: []string{"/usr/lib/libc.so.6", "/opt/frida-agent-64.so"}, want: "frida-agent-64.so", own: true, any: true},
		{args: "prog /usr/bin/prog", env: "LD_PRELOAD=/opt/libelfremapper.so", want: "libelfremapper.so", own: true},
		{args: "prog /usr/bin/prog", env: "LD_PRELOAD=/opt/vespa/lib64/vespa/malloc/libvespa_load_as_huge.so", want: "libvespa_load_as_huge.so", own: true, any: true},

		{args: "ls valgrind /usr/bin/ls"},
		{args: "man gdb /usr/bin/man"},
		{args: "qemu-system-x86_64 -m 1 /usr/bin/qemu-system-x86_64"},
		{args: "node --use-largepages=off x.js /usr/bin/node"},
		{args: "php -d opcache.huge_code_pages=0 x.php /usr/bin/php8.2"},
		{args: "php -d opcache.huge_code_pages=off x.php /usr/bin/php8.2"},
		{args: "grep opcache.huge_code_pages=1 /usr/bin/grep"},
		{args: "prog /usr/bin/prog", libs: []string{"/usr/lib/libc.so.6", "/usr/lib/libm.so.6"}},
	} {
		in := &proc.Invocation{Args: strings.Fields(c.args), Env: []string{c.env}}
		r := textReader(in)
		if r == nil {
			r = LibraryTextReader(c.libs)
		}
		if (r != nil) != (c.want != "") || r != nil && !strings.Contains(r.Why, c.want) {
			t.Errorf("%s %s %s: %+v, want %q", c.args, c.env, c.libs, r, c.want)
		}
		if r.Reads(program, program) != c.own || r.Reads(other, program) != c.any {
			t.Errorf("%s %s %s: %+v", c.args, c.env, c.libs, r)
		}
	}
	if r := RunningTextReader(os.Getpid()); r != nil {
		t.Errorf("this test: %+v", r)
	}
}
