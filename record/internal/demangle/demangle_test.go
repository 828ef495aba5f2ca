package demangle

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, c := range []struct{ symbol, full, short string }{
		{"main", "main", "main"},
		{"_Zulu", "_Zulu", "_Zulu"},
		{"_ZN4shop4Cart3addEi", "shop::Cart::add(int)", "shop::Cart::add"},
		{"_ZNK4shop4Cart5totalEv", "shop::Cart::total() const", "shop::Cart::total"},
		{"_ZN4shop5twiceIiEET_S1_", "int shop::twice<int>(int)", "shop::twice"},
		{"_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad", "core::fmt::Formatter::pad"},
		{"_RNvCskwGfYPst2Cb_3foo16example_function", "foo::example_function", "foo::example_function"},
		{"_RINvCsfq2Zq5gqAK1_2v07genericReEB2_", "v0::generic::<&str>", "v0::generic"},
		{"_RINvMsj_NtCslNYArtu3iFV_5alloc3vecINtB6_3VeclE3newlEB2_", "<alloc::vec::Vec<i32>>::new::<i32>", "<alloc::vec::Vec>::new"},
		{"_ZN" + strings.Repeat("1a", 20_000) + "Ev", "", ""},
	} {
		want, short := c.full, c.short
		if want == "" {
			want, short = c.symbol, c.symbol
		}
		if got := Full(c.symbol); got != want {
			t.Errorf("Full(%.80s) = %.80s, want %.80s", c.symbol, got, want)
		}
		if got := Short(c.symbol); got != short {
			t.Errorf("Short(%.80s) = %.80s, want %.80s", c.symbol, got, short)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, symbol := range []string{"main", "_ZN4shop5twiceIiEET_S1_", "_ZN4core3fmt5write17h0123456789abcdefE", "_RNvCskwGfYPst2Cb_3foo3bar", "_Z1fB5cxx11i.cold"} {
		f.Add(symbol)
	}
	f.Fuzz(func(t *testing.T, symbol string) {
		for _, name := range []string{Full(symbol), Short(symbol), WithoutABI(symbol)} {
			if len(name) > len(symbol)+1<<maxResult+len(".cold") {
				t.Errorf("%q becomes %d bytes", symbol, len(name))
			}
		}
	})
}
