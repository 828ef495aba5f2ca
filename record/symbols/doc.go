// Package symbols names functions that had no name when they were recorded, from files that have
// the names: programs that are not stripped, and separate debug files.
//
// A file belongs to a module of a trace if both have the same build ID. So a module without a build
// ID gets no names: nothing shows that a file is of the same build.
//
// The package reads files only, and works wherever traces are read. It is a part of record because
// that knows ELF files; package analyze knows only the method [Source.Name].
package symbols
