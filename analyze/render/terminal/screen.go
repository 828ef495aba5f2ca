// Package terminal fits text to the terminal that shows it: widths, as many columns of a table as
// there is room for, and colours.
//
// Width and Shorten count the cells that a terminal uses: two for a Chinese character, none for an
// accent that combines with a letter. github.com/rivo/uniseg knows the rules of Unicode for that;
// it was chosen because the progress line of utrace record brings it already.
package terminal

// Screen is where text is shown. The zero value is a pipe: of any width, without colours.
type Screen struct {
	Width int // in columns; 0 is any
	Color bool
}

// Color is a colour that carries a meaning.
type Color string

// The colours, as parameters of SGR (ECMA-48). All of them are among the eight that every terminal
// with colours has, and that its user may have changed.
const (
	Plain   Color = ""
	Bad     Color = "31" // red: errors, failures, what became slower, most of the time
	Good    Color = "32" // green: what became faster
	Caution Color = "33" // yellow: uncertain figures, much of the time
)

// Span is a part of a line, in one colour.
type Span struct {
	Text  string
	Color Color
}

// Paint writes text in a colour, if the screen has colours.
func (s Screen) Paint(text string, c Color) string {
	if !s.Color || c == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}
