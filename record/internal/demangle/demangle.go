// Package demangle translates the symbols of C++ and Rust functions into names that a person reads
// and types.
package demangle

import (
	"strings"

	upstream "github.com/ianlancetaylor/demangle"
)

const (
	// maxResult is the maximum length of a result, as a power of two: a hostile name can expand
	// exponentially.
	maxResult = 13
	// maxSymbol is the maximum length of a symbol that is demangled, in bytes.
	maxSymbol = 16 << 10
)

// Full returns the C++ or Rust name of a symbol, with its parameters. It knows both Rust manglings,
// and omits their hash. Any other symbol is returned unchanged.
func Full(symbol string) string {
	return filter(symbol, upstream.MaxLength(maxResult))
}

// WithoutParameters is Full without parameter list and return type: "std::vector<int>::push_back".
func WithoutParameters(symbol string) string {
	return filter(symbol, upstream.NoParams, upstream.MaxLength(maxResult))
}

// Short is Full without parameter list, return type, template and generic arguments, and ABI tags:
// "std::vector::push_back". This is the name that a person types and that a table shows. Several
// symbols may share it, such as compilers' variants of one function (.isra.0, .constprop.0). A
// .cold part keeps that suffix, since it is no function.
func Short(symbol string) string {
	name := WithoutABI(filter(symbol, upstream.NoParams, upstream.NoTemplateParams, upstream.NoEnclosingParams, upstream.MaxLength(maxResult)))
	if strings.HasPrefix(symbol, "_R") { // of Rust's generic arguments, the brackets are left
		name = strings.ReplaceAll(strings.ReplaceAll(name, "::<>", ""), "<>", "")
	}
	if name != symbol && IsCold(symbol) {
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

// IsCold reports whether a symbol names the unlikely part of a function, which nobody calls.
// Compilers move it out of line as NAME.cold (GCC) or NAME.cold.1 (LLVM).
func IsCold(symbol string) bool {
	return strings.HasSuffix(symbol, ".cold") || strings.Contains(symbol, ".cold.")
}

// filter demangles a symbol. If that fails or panics, it returns the symbol.
func filter(symbol string, opts ...upstream.Option) (name string) {
	if !strings.HasPrefix(symbol, "_Z") && !strings.HasPrefix(symbol, "_R") && !strings.HasPrefix(symbol, "__Z") || len(symbol) > maxSymbol {
		return symbol
	}
	defer func() {
		if recover() != nil {
			name = symbol
		}
	}()
	return upstream.Filter(symbol, opts...)
}
