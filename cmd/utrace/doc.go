// Command utrace records the function calls of running programs and analyses the recordings. Run
// "utrace --help".
//
// Each subcommand has a file of its own: flags, help, and one call into a package. They are put
// together in root.go, and run in-process by run, as tests do. Recording needs Linux; on other
// systems linuxonly.go replaces record, plan and doctor.
//
// With the build tag "man" the program writes the manual pages instead: go run -tags man
// ./cmd/utrace DIR.
package main
