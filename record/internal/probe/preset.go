package probe

import (
	"fmt"
	"strings"

	"utrace/record/internal/suggest"
)

// Preset is a named set of probes.
type Preset struct {
	Name  string
	About string // description, one line
	// Probes are in the language of Parse. Probes that match nothing in a target are skipped, as
	// long as another one of the preset matches.
	Probes []PresetProbe
}

// PresetProbe is a probe of a preset.
type PresetProbe struct {
	Text  string
	Names NameStyle
	// Within, unless "", is a function: of the probe's locations only those in this function count,
	// if there are any.
	Within string
}

// Presets returns all presets, by name.
func Presets() []Preset {
	plain := func(texts ...string) (list []PresetProbe) {
		for _, text := range texts {
			list = append(list, PresetProbe{Text: text})
		}
		return list
	}
	named := func(text string, names NameStyle) []PresetProbe { return []PresetProbe{{Text: text, Names: names}} }
	return []Preset{
		{"dns", "name resolution: getaddrinfo and its like in the C library", plain(
			"c:getaddrinfo(node:str, service:str) -> s32", "c:getnameinfo -> s32", "c:gethostbyname*(name:str)", "c:gethostbyaddr*", "c:res_*query", "c:res_*search")},
		{"go-http", "requests that a Go program serves and makes with net/http", plain(
			`/^net/http\.(serverHandler\.ServeHTTP|\(\*Client\)\.do|\(\*Transport\)\.RoundTrip)$/`)},
		{"io", "reading, writing and waiting for files and sockets through the C library", plain(
			"c:/^open(64)?$/(path:str[500]) -> s32", "c:/^openat(64)?$/(dir:s32, path:str[500]) -> s32",
			"c:/^(close|read|write|pread|pwrite|pread64|pwrite64|readv|writev|recv|recvfrom|recvmsg|send|sendto|sendmsg|connect|accept|accept4|poll|ppoll|select|pselect|epoll_wait|epoll_pwait|fsync|fdatasync|sendfile)$/")},
		{"java", "methods, garbage collection and class loading of OpenJDK (methods need -XX:+DTraceMethodProbes)", append(named(
			"usdt:hotspot:method__entry(thread:s64, class:buf[class_len], class_len:s32, method:buf[method_len], method_len:s32)", JavaNames), plain(
			"usdt:hotspot:gc__begin(full:bool)", "usdt:hotspot:class__loaded(class:buf[class_len], class_len:s32)")...)},
		{"malloc", "allocation in the C library", plain("c:/^(malloc|calloc|realloc|free|posix_memalign|aligned_alloc)$/")},
		{"php", "functions, requests, compilation and exceptions of PHP (functions need USE_ZEND_DTRACE=1 in the environment)", append(named(
			"usdt:php:function__entry(func:str, file:str[500], line:s32, class:str)", PHPNames), plain(
			"usdt:php:request__startup(file:str[500], uri:str[500], method:str)",
			"usdt:php:compile__file__entry(opened:str, file:str[500])", "usdt:php:exception__thrown(class:str)")...)},
		{"postgres", "queries and their execution, transactions, waiting for locks, reading from disk in PostgreSQL", append([]PresetProbe{
			// A statement such as INSERT hits this probe again inside.
			{Text: "usdt:postgresql:query__execute__start", Within: "PortalRun"}}, plain(
			"usdt:postgresql:query__start(query:str[1000])",
			"usdt:postgresql:transaction__start(lxid:u32) => postgresql:/^transaction__(commit|abort)$/ on lxid",
			"usdt:postgresql:lock__wait__start(database:u32, relation:u32)", "usdt:postgresql:lwlock__wait__start(tranche:str, mode:s32)",
			// Most buffer reads find the buffer in memory, and take less time than a probe.
			"usdt:postgresql:smgr__md__read__start(fork:s32, block:u32, tablespace:u32, database:u32, relation:u32)")...)},
		{"postgres-buffers", "every buffer read of PostgreSQL, including those from memory: more events than all others together", plain(
			"usdt:postgresql:buffer__read__start(fork:s32, block:u32, tablespace:u32, database:u32, relation:u32)")},
		{"python", "functions, garbage collection and imports of CPython 3.6 to 3.11", append(named(
			"usdt:python:function__entry(file:str[500], func:str, line:s32)", PythonNames), plain(
			"usdt:python:gc__start(generation:s32)", "usdt:python:import__find__load__start(module:str)")...)},
		{"ruby", "methods, garbage collection, require, parsing and exceptions of Ruby (methods while TracePoint.new(:call, :return) is enabled)", append(named(
			"usdt:ruby:method__entry(class:str, method:str, file:str[500], line:s32)", RubyNames), plain(
			"usdt:ruby:gc__mark__begin", "usdt:ruby:gc__sweep__begin", "usdt:ruby:require__entry(name:str[500])", "usdt:ruby:load__entry(name:str[500])",
			"usdt:ruby:parse__begin(file:str[500], line:s32)", "usdt:ruby:raise(class:str, file:str[500], line:s32)")...)},
		{"sqlite", "statements of SQLite through its library", plain(
			"sqlite3:/^sqlite3_open(_v2)?$/(file:str[500]) -> s32", "sqlite3:/^sqlite3_(exec|prepare_v2|prepare_v3)$/(db:ptr, sql:str[1000]) -> s32",
			"sqlite3:/^sqlite3_(step|finalize|close|close_v2)$/")},
		{"tls", "handshakes, reading and writing of OpenSSL", plain(
			"ssl:/^SSL_(do_handshake|connect|accept|read|read_ex|write|write_ex|shutdown)$/")},
	}
}

// NamesFunctions reports whether the arguments of a static probe name the function that an
// interpreter enters.
func NamesFunctions(provider, name string) bool {
	for _, preset := range Presets() {
		for _, p := range preset.Probes {
			if p.Names != NoNames && strings.HasPrefix(p.Text, "usdt:"+provider+":"+name+"(") {
				return true
			}
		}
	}
	return false
}

// FindPreset returns the preset with a name. The error wraps ErrPreset.
func FindPreset(name string) (Preset, error) {
	var names []string
	for _, p := range Presets() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Preset{}, fmt.Errorf("%w %q%s; there are %s", ErrPreset, name, suggest.Nearest(name, names), strings.Join(names, ", "))
}

// Parse returns the probes of a preset.
func (p Preset) Parse() ([]*Probe, error) {
	var list []*Probe
	for _, text := range p.Probes {
		probe, err := Parse(text.Text)
		if err != nil {
			return nil, fmt.Errorf("preset %s: %w", p.Name, err)
		}
		probe.Names, probe.Within, probe.Preset = text.Names, text.Within, p.Name
		list = append(list, probe)
	}
	return list, nil
}
