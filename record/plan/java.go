//go:build linux

package plan

import (
	"fmt"
	"strings"

	"utrace/record/internal/image"
)

// javaProblem says what cannot be recorded of a HotSpot JVM. It passes its probes of methods only
// if a flag was set when it started.
func javaProblem(sc *Scope, img *image.Image) string {
	if _, ok := img.File.Exported("gHotSpotVMStructs"); !ok {
		return ""
	}
	if !hasUSDT(img.File, literalUSDT("hotspot", "method__entry")) {
		return img.Path + ": this JVM was built without --enable-dtrace: it has no probes of methods"
	}

	without := func(who string) string {
		return who + ": methods need -XX:+DTraceMethodProbes on the command line of the JVM, or in JAVA_TOOL_OPTIONS when it starts; without it only garbage collection and class loading are recorded"
	}
	if sc.command != nil {
		text := strings.Join(sc.command.Args, " ")
		for _, name := range []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"} {
			text += " " + sc.command.Variable(name)
		}
		if maySetMethodProbes(text) {
			return ""
		}
		return without(img.Path)
	}
	for _, pid := range sc.mapping(img) {
		mem := openMemory(pid, img)
		if mem == nil {
			continue
		}
		on, ok := mem.jvmFlag("DTraceMethodProbes")
		mem.close()
		if ok && !on {
			return without(fmt.Sprintf("process %d (%s)", pid, img.Path))
		}
	}
	return ""
}

// maySetMethodProbes reports whether the options of a JVM turn on its probes of methods, or may do
// so in a file that they name. ExtendedDTraceProbes turns on others as well; JDK 25 lacks it.
func maySetMethodProbes(options string) bool {
	for _, part := range []string{
		"-XX:+DTraceMethodProbes", "-XX:+ExtendedDTraceProbes",
		"-XX:Flags=", "-XX:VMOptionsFile=", " @",
	} {
		if strings.Contains(options, part) {
			return true
		}
	}
	return false
}

// maxJVMTable limits how many entries are read of each table of a JVM.
const maxJVMTable = 1 << 16

// jvmFlag returns the value of a boolean flag of a running HotSpot. ok is false if it cannot be
// read. HotSpot exports tables for debuggers (vmStructs.cpp; seen in JDK 17 and 25), which describe
// the layout of everything else:
//
//  1. In gHotSpotVMStructs, find the fields of type JVMFlag: offsets, and addresses of static ones.
//  2. In gHotSpotVMTypes, find the size of a JVMFlag.
//  3. Search the array of flags.
func (m *memory) jvmFlag(name string) (on, ok bool) {
	fields := m.jvmFlagFields()
	size := m.jvmFlagSize()
	if fields["flags"] == 0 || fields["numFlags"] == 0 || size == 0 {
		return false, false
	}
	at := m.word(fields["flags"])
	for range min(m.word(fields["numFlags"]), maxJVMTable) {
		if m.text(m.word(at+fields["_name"])) == name {
			b := m.read(m.word(at+fields["_addr"]), 1)
			return b != nil && b[0] != 0, b != nil
		}
		at += size
	}
	return false, false
}

// jvmFlagFields returns the fields of type JVMFlag: the offset of each, the address of a static
// one.
func (m *memory) jvmFlagFields() map[string]uint64 {
	entry := func(field string) uint64 { return m.exported("gHotSpotVMStructEntry" + field + "Offset") }
	typeName, fieldName := entry("TypeName"), entry("FieldName")
	isStatic, offset, address := entry("IsStatic"), entry("Offset"), entry("Address")

	fields := map[string]uint64{}
	at, stride := m.exported("gHotSpotVMStructs"), m.exported("gHotSpotVMStructEntryArrayStride")
	for i := 0; i < maxJVMTable && stride > 0 && m.word(at+typeName) != 0; i, at = i+1, at+stride {
		if m.text(m.word(at+typeName)) != "JVMFlag" {
			continue
		}
		value := m.word(at + offset)
		if m.word(at+isStatic)&0xffffffff != 0 {
			value = m.word(at + address)
		}
		fields[m.text(m.word(at+fieldName))] = value
	}
	return fields
}

// jvmFlagSize returns the size of a JVMFlag in bytes, 0 if it is not known.
func (m *memory) jvmFlagSize() uint64 {
	typeName, size := m.exported("gHotSpotVMTypeEntryTypeNameOffset"), m.exported("gHotSpotVMTypeEntrySizeOffset")
	at, stride := m.exported("gHotSpotVMTypes"), m.exported("gHotSpotVMTypeEntryArrayStride")
	for i := 0; i < maxJVMTable && stride > 0 && m.word(at+typeName) != 0; i, at = i+1, at+stride {
		if m.text(m.word(at+typeName)) == "JVMFlag" {
			return m.word(at + size)
		}
	}
	return 0
}
