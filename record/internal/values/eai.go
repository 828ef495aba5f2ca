package values

import (
	"slices"

	"utrace/record/internal/elffile"
	"utrace/record/internal/probe"
)

// EAIName is the name of the type of a failure to resolve a name, EAI_NONAME and so on.
const EAIName = "enum EAI"

// EAISystem is the failure that errno explains.
const EAISystem = -11

// eaiType is the type of the result of getaddrinfo and getnameinfo, in a result of 4 bytes. Its
// names and numbers are those of glibc 2.36. musl has the same, as far as it has them.
func eaiType() probe.Type {
	return probe.Type{Name: EAIName, Kind: probe.KindEnum, Size: 4, Signed: true, EnumNames: map[int64]string{
		-1: "EAI_BADFLAGS", -2: "EAI_NONAME", -3: "EAI_AGAIN", -4: "EAI_FAIL", -5: "EAI_NODATA", -6: "EAI_FAMILY",
		-7: "EAI_SOCKTYPE", -8: "EAI_SERVICE", -9: "EAI_ADDRFAMILY", -10: "EAI_MEMORY", EAISystem: "EAI_SYSTEM", -12: "EAI_OVERFLOW",
		-100: "EAI_INPROGRESS", -101: "EAI_CANCELED", -102: "EAI_NOTCANCELED", -103: "EAI_ALLDONE", -104: "EAI_INTR", -105: "EAI_IDN_ENCODE",
	}}
}

// returnsEAI reports whether a function with a result of a type returns such a failure.
func returnsEAI(fn elffile.Func, t probe.Type) bool {
	isResolver := func(name string) bool { return name == "getaddrinfo" || name == "getnameinfo" }
	return t.Kind == probe.KindNumber && t.Signed && t.Size == 4 &&
		(isResolver(fn.Name) || slices.ContainsFunc(fn.Aliases, isResolver))
}
