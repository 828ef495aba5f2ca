package elffile

import (
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// maxDemangled is the longest result, as a power of two: a hostile name can expand exponentially.
const maxDemangled = 13

// Demangle returns the C++ or Rust name (both Rust manglings, without the hash) behind a symbol, or the symbol
// unchanged if it is neither.
func Demangle(symbol string) string {
	return demangled(symbol, demangle.MaxLength(maxDemangled))
}

// DemangleNoParams is Demangle without parameter list, return type and template arguments: "std::vector::push_back".
// It is what a person types and what a table shows, so it has no ABI tags (WithoutABI) either. Several symbols may share it, and compilers' variants of one function
// (.isra.0, .constprop.0) do; but a .cold part, which is no function, keeps that suffix.
func DemangleNoParams(symbol string) string {
	name := WithoutABI(demangled(symbol, demangle.NoParams, demangle.NoTemplateParams, demangle.NoEnclosingParams, demangle.MaxLength(maxDemangled)))
	if name != symbol && isCold(symbol) {
		name += ".cold"
	}
	return name
}

// WithoutABI returns a demangled name without ABI tags, which nobody has written in the source: GCC's "name[abi:cxx11](int)" is a
// function that returns a std::string.
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
