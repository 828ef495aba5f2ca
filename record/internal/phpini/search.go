//go:build linux

package phpini

import (
	"path"
	"strings"
)

// builtin are directories that PHP may have been built with.
type builtin struct {
	ini  string // of php.ini
	scan string // of further files, "" if there is none
}

// builtinDirs returns the directories that the program may have been built with, of those that
// exist. The first pair is empty: files that -c and variables name are read in any case.
func (p *program) builtinDirs(files *fileSystem) []builtin {
	version := p.version
	if version == "" {
		version = "*"
	}
	prefix := strings.TrimSuffix(path.Dir(p.dir), "/usr") // of /usr/local/bin/php: /usr/local
	dirs := []builtin{{}}
	for _, b := range []builtin{
		{"etc", "php.d"},      // Fedora, cPanel, Plesk
		{"etc/php", "conf.d"}, // Docker, Arch
		{"etc/php/" + version + "/" + p.sapi, "conf.d"},   // Debian
		{"etc/php" + version, "conf.d"},                   // Alpine
		{"etc/php" + version + "/" + p.sapi, "../conf.d"}, // SUSE
		{"etc/php/" + p.sapi + "-php*", "ext-active"},     // Gentoo
		{"lib", ""}, // PHP's own build
	} {
		for _, dir := range files.glob(prefix, b.ini) {
			found := builtin{ini: dir}
			if b.scan != "" {
				found.scan = path.Join(dir, b.scan)
			}
			dirs = append(dirs, found)
		}
	}
	if remi, ok := strings.CutPrefix(prefix, "/opt/remi/"); ok { // /opt/remi/php82/root
		etc := "/etc/opt/remi/" + path.Dir(remi)
		dirs = append(dirs, builtin{etc, etc + "/php.d"})
	}
	return dirs
}

// iniFiles returns the files that PHP reads, in this order, if it was built with some directories.
func (p *program) iniFiles(files *fileSystem, opts options, b builtin) (names []string) {
	names = append(names, p.mainFile(files, opts, b)...)
	if opts.ignore {
		return names
	}
	for dir := range strings.SplitSeq(p.Variable("PHP_INI_SCAN_DIR"), ":") {
		if dir == "" {
			dir = b.scan
		} else {
			dir = p.abs(dir)
		}
		if dir != "" {
			names = append(names, files.iniFiles(dir)...)
		}
	}
	return names
}

// mainFile returns the php.ini that PHP reads, nothing if there is none.
func (p *program) mainFile(files *fileSystem, opts options, b builtin) []string {
	given := opts.ini
	if given == "" {
		if opts.ignore {
			return nil
		}
		given = p.Variable("PHPRC")
	}
	var dirs []string
	if given != "" {
		given = p.abs(given)
		if files.exists(given) {
			return []string{given}
		}
		dirs = append(dirs, given)
	}
	if opts.ini == "" {
		dirs = append(dirs, p.dir)
		if b.ini != "" {
			dirs = append(dirs, b.ini)
		}
	}
	sapi := map[string]string{"cli": "cli", "cgi": "cgi-fcgi", "fpm": "fpm-fcgi"}[p.sapi]
	for _, name := range []string{"php-" + sapi + ".ini", "php.ini"} {
		for _, dir := range dirs {
			if file := path.Join(dir, name); files.exists(file) {
				return []string{file}
			}
		}
	}
	return nil
}

// abs returns the absolute path of a path that PHP was given.
func (p *program) abs(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join(p.Dir, name)
}
