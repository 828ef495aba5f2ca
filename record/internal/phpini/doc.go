// Package phpini says whether PHP has a setting turned on, before PHP itself has read it.
//
// It reads what PHP reads, as of main/php_ini.c:
//
//  1. php-SAPI.ini or php.ini: that of -c, else of PHPRC, of the directory of the program, of the
//     built-in directory;
//  2. the *.ini files of the directories in PHP_INI_SCAN_DIR, an empty one being the built-in
//     directory. Later files override earlier ones;
//  3. -d, which overrides all files. -n leaves out the files, except that of -c.
//
// The built-in directories are compiled into PHP, so the package tries those of Debian, Fedora,
// Alpine, SUSE, Arch, Gentoo, Docker's images, Remi's packages, and of PHP's own build. If several
// exist, a setting that any of them turns on counts as on. For the caller, a setting that is
// wrongly taken for on costs a recording. The opposite error costs a process.
//
// The files belong to the user of the process, below its root directory. The package opens a
// bounded number of files and directories, follows no link out of the root directory, opens no FIFO
// or device, and ignores large files.
//
// Not known: a php.ini in the current directory, which php-cgi reads, and variables in ini files
// that are settings themselves. A program without php in its name is not taken for PHP.
package phpini
