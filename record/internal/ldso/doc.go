// Package ldso finds shared libraries as the dynamic linker ld.so does (ld.so(8)), without running
// anything.
//
// [Search.Closure] finds all libraries that a program loads when it starts. [Search.Find] finds the
// library that a person names. The search takes place in the file system of this process, not of a
// container.
package ldso
