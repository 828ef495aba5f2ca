package condition

import (
	"fmt"
	"strings"
	"testing"
)

// write writes a condition with all parentheses.
func write(c *Condition) string {
	if !c.Op.Compares() {
		return "(" + write(c.A) + []string{" && ", " || "}[c.Op] + write(c.B) + ")"
	}
	value := c.Value.Number.String()
	if c.Value.Kind == IsText {
		value = fmt.Sprintf("%q", c.Value.Text)
	}
	return c.Name + []string{" == ", " != ", " < ", " >= ", " <= ", " > ", " =~ ", " !~ "}[c.Op-Equal] + value
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"n": "n != 0", "!n": "n == 0", "!!n": "n != 0", "n == -3": "n == -3", "n==0x10": "n == 16", "c != 'a'": "c != 97",
		"a && b || c": "((a != 0 && b != 0) || c != 0)", "a && (b || c)": "(a != 0 && (b != 0 || c != 0))",
		"!(a < 1 && b >= 2)": "(a >= 1 || b < 2)", "!(a || !(b && c <= 3))": "(a == 0 && (b != 0 && c <= 3))",
		`!(s =~ "a*") && s != "x\n"`: `(s !~ "a*" && s != "x\n")`, "req->next.len[2]>1.5": "req->next.len[2] > 1.5", "**p == 18446744073709551615": "**p == 18446744073709551615",
		"duration > 1.5ms": "duration > 1500000", "d<10us": "d < 10000", "n == -9223372036854775808": "n == -9223372036854775808",
	} {
		c, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := write(c); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"": "at 1: the name of an argument is expected, not the end", "n = 3": "not expected", "n == ": "a number or", "n == -'a'": "a - in front", "n == -5ms": "a - in front",
		"(n": "a ) is missing", "n)": "not expected", "n == 5x": "neither a number nor a time", "n =~ 3": `a "pattern"`, `n =~ "[a]"`: "no [sets]", `n < "a"`: "a text is compared",
		"a[b]": "a number is expected", "a[1": "a ] is missing", "a->": "the name of a member", strings.Repeat("(", 200) + "n": "nested too deeply",
		"n == 300000000h": "neither a number nor a time", "n == 'ab'": "at 6",
	} {
		if c, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", text, c, err)
		}
	}
}

// FuzzParse: a parsed condition is the same after it is written and parsed again. It has no more
// comparisons than characters.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"!(a->b[2] >= 0x10 || c =~ \"x*\") && d", "duration > 1.5ms && ret < -3", "*p == 'c'", "n == `a`"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		n := 0
		c.Walk(func(c *Condition) {
			n++
			if !c.Op.Compares() || c.Op.Not().Not() != c.Op || c.Name == "" || c.Offset >= len(text) {
				t.Errorf("%q: %+v", text, c)
			}
		})
		if n == 0 || n > len(text) {
			t.Errorf("%q: %d comparisons", text, n)
		}
	})
}
