// Package elftest has ELF files for the tests of other packages: the committed fixtures, files of
// the machine that runs the tests, and programs that are compiled for one test. It skips a test if
// a compiler or a tool is missing.
package elftest
