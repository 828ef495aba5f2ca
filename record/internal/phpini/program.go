//go:build linux

package phpini

import (
	"cmp"
	"iter"
	"path"
	"regexp"
	"strings"

	"utrace/record/internal/proc"
)

// program is a program of PHP that was started.
type program struct {
	*proc.Invocation
	dir     string // of the program
	sapi    string // the kind: cli, cgi, fpm
	version string // as in the name: "8.2", "82", "" if the name has none
}

// programOf returns the program of PHP that was started, nil if it is another program.
func programOf(in *proc.Invocation) *program {
	if len(in.Args) == 0 {
		return nil
	}
	dir, name := path.Split(in.Args[len(in.Args)-1])
	if !strings.Contains(name, "php") {
		return nil
	}
	p := &program{in, path.Clean(dir), "cli", ""}
	// Names such as php, php8.2, php-fpm8.2, php-cgi, php82 and php-fpm82. Others are lsphp, phpdbg
	// and renamed copies.
	if m := regexp.MustCompile(`^php(?:-(cgi|fpm))?-?([0-9][0-9.]*)?$`).FindStringSubmatch(name); m != nil {
		p.sapi, p.version = cmp.Or(m[1], p.sapi), m[2]
	}
	return p
}

// options are those of the command line that matter for settings.
type options struct {
	ini     string   // of -c
	ignore  bool     // -n
	defines []string // of -d
}

// options parses the command line up to the script, as php_getopt of main/getopt.c does.
func (p *program) options() (o options) {
	args := p.Args[:len(p.Args)-1]
	if len(args) == 0 || !strings.Contains(path.Base(args[0]), "php") {
		return o // a script with the name of its interpreter
	}
	// Options with a value, of sapi/cli/php_cli.c, sapi/cgi/cgi_main.c and sapi/fpm/fpm/fpm_main.c.
	valued := map[string]string{"cli": "cdfrBREFStz", "cgi": "cdfbTz", "fpm": "cdypg"}[p.sapi]
	long := map[string]string{
		"php-ini": "c", "define": "d", "no-php-ini": "n", "file": "f", "run": "r", "process-begin": "B", "process-code": "R",
		"process-end": "E", "process-file": "F", "server": "S", "docroot": "t", "zend-extension": "z",
		"bindpath": "b", "timing": "T", "fpm-config": "y", "pid": "g", "prefix": "p",
	}
	for args = args[1:]; len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && args[0] != "--"; {
		letters := args[0][1:]
		args = args[1:]
		if name, ok := strings.CutPrefix(letters, "-"); ok {
			name, value, hasValue := strings.Cut(name, "=")
			if letters = long[name]; hasValue {
				letters += "=" + value
			}
		}
		for i, letter := range letters {
			if letter == 'n' {
				o.ignore = true
			}
			if !strings.ContainsRune(valued, letter) {
				continue
			}
			value := strings.TrimPrefix(letters[i+1:], "=")
			if value == "" && len(args) > 0 {
				value, args = args[0], args[1:]
			}
			switch letter {
			case 'c':
				o.ini = value
			case 'd':
				o.defines = append(o.defines, strings.TrimSpace(value))
			}
			break
		}
	}
	return o
}

// defined returns the settings of -d as texts of ini files.
func (o *options) defined() iter.Seq2[string, string] {
	return func(yield func(name, text string) bool) {
		for _, d := range o.defines {
			text := d
			if !strings.Contains(d, "=") {
				text += "=1"
			}
			if !yield("-d "+d, text) {
				return
			}
		}
	}
}
