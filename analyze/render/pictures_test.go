package render

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"utrace/analyze"
)

// texts parses XML strictly and returns the text of all elements of a name.
func texts(t *testing.T, data []byte, element string) []string {
	t.Helper()
	var list []string
	dec := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, data)
		}
		if start, ok := token.(xml.StartElement); ok {
			for _, attr := range start.Attr {
				if strings.HasPrefix(attr.Name.Local, "on") || attr.Name.Local == "href" || attr.Name.Local == "src" {
					t.Errorf("attribute %s=%q", attr.Name.Local, attr.Value)
				}
			}
			if start.Name.Local == element {
				var text string
				if err := dec.DecodeElement(&text, &start); err != nil {
					t.Fatal(err)
				}
				list = append(list, text)
			}
		}
	}
}

// TestPictures: SVG is well-formed and has each function with its figures. Names cannot inject
// anything.
func TestPictures(t *testing.T) {
	for _, name := range traces() {
		path := trace(t, name)
		tree, err := analyze.CallTree([]string{path}, analyze.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var flame, heat bytes.Buffer
		if err := Flame(&flame, tree); err != nil {
			t.Fatal(err)
		}
		titles := texts(t, flame.Bytes(), "title")
		self := time.Duration(0)
		for _, row := range report(t, path).Rows {
			self += row.Self
			want := row.Name + ": "
			if row.Self > 0 && !slices.ContainsFunc(titles, func(s string) bool { return strings.HasPrefix(s, want) }) {
				t.Errorf("%s: no %q in %q", name, want, titles)
			}
		}
		if want := "all: " + analyze.FormatDuration(self) + ", 100.00%"; self > 0 && titles[0] != want {
			t.Errorf("%s: %q, want %q", name, titles[0], want)
		}
		if scripts := texts(t, flame.Bytes(), "script"); len(scripts) != 1 || !strings.Contains(scripts[0], flameScript) {
			t.Errorf("%s: %d scripts", name, len(scripts))
		}
		maps, _, err := analyze.Heatmaps([]string{path}, analyze.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := HeatmapSVG(&heat, maps); err != nil {
			t.Fatal(err)
		}
		if texts(t, heat.Bytes(), "script") != nil {
			t.Errorf("%s: a script in a heatmap", name)
		}
		complete, cells := uint64(0), 0
		for _, row := range report(t, path).Rows {
			complete += row.Durations.Count()
		}
		for _, title := range texts(t, heat.Bytes(), "title") {
			n, err := strconv.Atoi(strings.Fields(title)[0])
			if err != nil {
				t.Fatal(title)
			}
			cells += n
		}
		if uint64(cells) != complete {
			t.Errorf("%s: %d calls in the heatmaps, want %d", name, cells, complete)
		}
		var text strings.Builder
		if err := Heatmap(&text, maps); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			if at := strings.LastIndex(line, "| "); at >= 0 && !strings.HasPrefix(line, "#") {
				calls, err := strconv.Atoi(strings.TrimSpace(line[at+2:]))
				if err != nil {
					t.Fatal(line)
				}
				cells -= calls
			}
		}
		if cells != 0 {
			t.Errorf("%s: the text has %d calls less than the picture", name, cells)
		}
	}
}

func TestPictureNames(t *testing.T) {
	name := `"/><script>alert(1)</script>]]>&'`
	fn := analyze.Function{Name: name}
	tree := &analyze.Tree{Threads: []analyze.ThreadTree{{Roots: []*analyze.Node{{Function: &fn, Calls: 1, Total: 9, Self: 9}}}}}
	var flame, heat bytes.Buffer
	if err := Flame(&flame, tree); err != nil {
		t.Fatal(err)
	}
	if n := len(texts(t, flame.Bytes(), "script")); n != 1 {
		t.Errorf("%d scripts", n)
	}
	if titles := texts(t, flame.Bytes(), "title"); !strings.HasPrefix(titles[len(titles)-1], name+": ") {
		t.Errorf("%q", titles)
	}
	if err := HeatmapSVG(&heat, []analyze.Heatmap{{Label: name, Slice: 1, Slices: 1}}); err != nil {
		t.Fatal(err)
	}
	if texts(t, heat.Bytes(), "script") != nil || !strings.HasPrefix(texts(t, heat.Bytes(), "text")[0], name+": ") {
		t.Errorf("%s", heat.Bytes())
	}
}
