package elffile

import (
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// maxDemangled is the maximum length of a result, as a power of two: a hostile name can expand
// exponentially.
const maxDemangled = 13

// Demangle returns the C++ or Rust name of a symbol. It knows both Rust manglings, and omits their
// hash. Any other symbol is returned unchanged.
func Demangle(symbol string) string {
	return demangled(symbol, demangle.MaxLength(maxDemangled))
}

// DemangleNoParams is Demangle without parameter list, return type, template arguments and ABI
// tags: "std::vector::push_back". This is the name that a person types and that a table shows.
// Several symbols may share it, such as compilers' variants of one function (.isra.0,
// .constprop.0). A .cold part keeps that suffix, since it is no function.
func DemangleNoParams(symbol string) string {
	name := WithoutABI(demangled(symbol, demangle.NoParams, demangle.NoTemplateParams, demangle.NoEnclosingParams, demangle.MaxLength(maxDemangled)))
	if name != symbol && isCold(symbol) {
		name += ".cold"
	}
	return name
}

// WithoutABI removes the ABI tags from a demangled name, since the source does not contain them.
// GCC's "name[abi:cxx11](int)" is a function that returns a std::string.
func WithoutABI(name string) string {
	for {
		before, tag, ok := strings.Cut(name, "[abi:")
		_, after, closed := strings.Cut(tag, "]")
		if !ok || !closed {
			return name
		}
		name = before + after
	}
}

func demangled(symbol string, opts ...demangle.Option) string {
	if !strings.HasPrefix(symbol, "_Z") && !strings.HasPrefix(symbol, "_R") && !strings.HasPrefix(symbol, "__Z") || len(symbol) > maxSymbolName {
		return symbol
	}
	name := symbol
	err := catchPanic(func() error {
		name = demangle.Filter(symbol, opts...)
		return nil
	})
	if err != nil {
		return symbol
	}
	return name
}
