//go:build linux

package phpini

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"utrace/record/internal/proc"
)

const setting = "opcache.huge_code_pages"

// TestSameAsPHP: the setting is on where PHP itself says so.
func TestSameAsPHP(t *testing.T) {
	program, err := exec.LookPath("php")
	if err != nil {
		t.Skip("needs php")
	}
	if program, err = filepath.EvalSymlinks(program); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "-r", "echo ini_get('"+setting+"') === false ? 'absent' : '';").Output(); err != nil || len(out) > 0 {
		t.Skipf("needs php with opcache: %s %v", out, err)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	load := "zend_extension=opcache\n" // for -c and -n, with which PHP finds no file of its own
	on := write("on/php.ini", load+setting+" = On ; a comment\n")
	off := write("off/php.ini", load+setting+" = Off\n")
	write("sapi/php-cli.ini", load+setting+"=yes\n")
	write("sapi/php.ini", load+setting+"=0\n")
	write("scan/1.ini", setting+"=0\n")
	write("scan/2.ini", setting+"=\"1\"\n")
	write("scan/3.txt", setting+"=0\n")
	write("other/1.ini", setting+"=none\n")

	for _, c := range []struct {
		args []string
		env  []string
	}{
		{},
		{args: []string{"-c", on}},
		{args: []string{"-c" + filepath.Dir(on)}},
		{args: []string{"-c", "on"}},
		{args: []string{"--php-ini=" + on}},
		{args: []string{"-c", off}},
		{args: []string{"-c", on, "-d", setting + "=0"}},
		{args: []string{"-c", on, "-d", setting + "=off"}},
		{args: []string{"-c", off, "-d", setting}},
		{args: []string{"-nqc", on}},
		{args: []string{"-n", "--define", "zend_extension=opcache", "-d" + setting + "=true"}},
		{args: []string{"-n", "-d", "zend_extension=opcache"}, env: []string{"PHPRC=" + on}},
		{args: []string{"-q"}, env: []string{"PHPRC=" + on}},
		{env: []string{"PHPRC=" + filepath.Join(dir, "sapi")}},
		{env: []string{"PHPRC=" + dir}},
		{env: []string{"PHP_INI_SCAN_DIR=:" + filepath.Join(dir, "scan")}},
		{env: []string{"PHP_INI_SCAN_DIR=:scan:other"}},
		{args: []string{"-c", off}, env: []string{"PHP_INI_SCAN_DIR=:scan"}},
		{args: []string{"-c", write("section/1.ini", load+setting+"=1\n[PATH=/x]\n"+setting+"=0\n")}},
		{args: []string{"-c", write("section/2.ini", load+"[HOST=x]\n"+setting+"=1\n")}},
		{args: []string{"-c", write("section/3.ini", load+"[opcache]\n;"+setting+"=0\n"+setting+"='1'\n")}},
		{args: []string{"-c", write("variable.ini", load+setting+"=${HUGE}\n")}, env: []string{"HUGE=1"}},
		{args: []string{"-c", write("variable.ini", load+setting+"=${HUGE}\n")}},
	} {
		args := append([]string{"php"}, c.args...)
		args = append(args, "-r", "echo ini_get('"+setting+"') ? 'on' : 'off';", "--", "-n", "-d", setting+"=1")
		cmd := &exec.Cmd{Path: program, Args: args, Env: c.env, Dir: dir}
		if len(c.env) == 0 {
			cmd.Env = []string{"LC_ALL=C"}
		}
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		source := Enabled(&proc.Invocation{Args: append(args, program), Env: c.env, Dir: dir, Root: "/"}, setting)
		if (source != "") != (string(out) == "on") {
			t.Errorf("%s %s: %q, PHP says %s", args, c.env, source, out)
		}
	}
}

// TestBuiltinDirs: files are found below the root directory of the process, where packages of PHP
// have them, those of the same version and kind.
func TestBuiltinDirs(t *testing.T) {
	for _, c := range []struct{ program, file, want string }{
		{"/usr/bin/php8.2", "etc/php/8.2/cli/php.ini", "/etc/php/8.2/cli/php.ini"},
		{"/usr/bin/php8.2", "etc/php/8.2/cli/conf.d/10-opcache.ini", "/etc/php/8.2/cli/conf.d/10-opcache.ini"},
		{"/usr/sbin/php-fpm8.2", "etc/php/8.2/fpm/php-fpm-fcgi.ini", "/etc/php/8.2/fpm/php-fpm-fcgi.ini"},
		{"/usr/bin/php8.2", "etc/php/8.2/fpm/php.ini", ""},
		{"/usr/bin/php8.2", "etc/php/7.4/cli/php.ini", ""},
		{"/usr/local/bin/php", "usr/local/etc/php/conf.d/x.ini", "/usr/local/etc/php/conf.d/x.ini"},
		{"/usr/local/sbin/php-fpm", "usr/local/lib/php.ini", "/usr/local/lib/php.ini"},
		{"/usr/local/bin/php", "etc/php/conf.d/x.ini", ""},
		{"/usr/sbin/php-fpm", "etc/php.d/10-opcache.ini", "/etc/php.d/10-opcache.ini"},
		{"/usr/bin/php82", "etc/php82/conf.d/00_opcache.ini", "/etc/php82/conf.d/00_opcache.ini"},
		{"/usr/bin/php8", "etc/php8/conf.d/opcache.ini", "/etc/php8/conf.d/opcache.ini"},
		{"/opt/remi/php82/root/usr/bin/php", "etc/opt/remi/php82/php.d/10-opcache.ini", "/etc/opt/remi/php82/php.d/10-opcache.ini"},
		{"/opt/cpanel/ea-php82/root/usr/bin/php", "opt/cpanel/ea-php82/root/etc/php.ini", "/opt/cpanel/ea-php82/root/etc/php.ini"},
		{"/usr/bin/python3", "etc/php.ini", ""},
	} {
		root := t.TempDir()
		file := filepath.Join(root, c.file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(setting+"=1"), 0o644); err != nil {
			t.Fatal(err)
		}
		in := &proc.Invocation{Args: []string{"php", c.program}, Root: root}
		if got := Enabled(in, setting); got != c.want {
			t.Errorf("%s with %s: %q, want %q", c.program, c.file, got, c.want)
		}
	}
}

// TestHostileFiles: links stay inside the root directory, and what is no ini file is ignored.
func TestHostileFiles(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "etc/php/8.2/cli/conf.d")
	outside := filepath.Join(t.TempDir(), "outside.ini")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(dir, 0o755))
	must(os.WriteFile(outside, []byte(setting+"=1"), 0o644))
	must(unix.Mkfifo(filepath.Join(dir, "1.ini"), 0o644))
	must(os.Symlink(outside, filepath.Join(dir, "2.ini")))
	must(os.Symlink("../../../../../../../../../.."+outside, filepath.Join(dir, "3.ini")))
	must(os.Symlink("4.ini", filepath.Join(dir, "4.ini")))
	must(os.Symlink("/dev/zero", filepath.Join(dir, "5.ini")))
	must(os.Mkdir(filepath.Join(dir, "6.ini"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "7.ini"), []byte(setting+"=1\n"+strings.Repeat("\n", maxFileBytes)), 0o644))
	in := &proc.Invocation{
		Args: []string{"php", "-c", "/etc/php/8.2/cli/conf.d/1.ini", "/usr/bin/php8.2"},
		Env:  []string{"PHP_INI_SCAN_DIR=" + strings.Repeat(":", 100_000)},
		Root: root,
	}
	if got := Enabled(in, setting); got != "" {
		t.Errorf("%q", got)
	}

	// An absolute link, as Debian has them, begins in the root directory of the process.
	must(os.Mkdir(filepath.Join(root, "mods"), 0o755))
	must(os.WriteFile(filepath.Join(root, "mods/opcache.ini"), []byte(setting+"=1"), 0o644))
	must(os.Symlink("/mods/opcache.ini", filepath.Join(dir, "0.ini")))
	in.Env = nil
	if got, want := Enabled(in, setting), "/etc/php/8.2/cli/conf.d/0.ini"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
