package probe

import (
	"errors"
	"fmt"
	"strings"
)

// Span says which probes end the span that a static probe begins.
type Span struct {
	Ends *USDTPattern // nil: found by their names, see UsualEnds
	Key  string       // the argument that identifies a span, "" for none
	None bool         // no span: hits are counted
}

// parseSpan parses "PROVIDER:NAME [on ARGUMENT]", or "none".
func (p *Probe) parseSpan(text string) error {
	end, on, keyed := strings.Cut(text, " on ")
	end = strings.TrimSpace(end)
	if end == "none" {
		p.Span.None = true
		return nil
	}
	parts := splitColons(end)
	switch {
	case end == "":
		return errors.New("=>: expected the probe that ends the span, as PROVIDER:NAME")
	case len(parts) == 1:
		parts = []string{"*", parts[0]}
	case len(parts) > 2:
		return fmt.Errorf("=> %s: expected PROVIDER:NAME", end)
	}
	var err error
	if p.Span.Ends, err = newUSDTPattern(parts[0], parts[1]); err != nil {
		return err
	}
	if !keyed {
		return nil
	}
	p.Span.Key = strings.TrimSpace(on)
	at, err := (*Arguments)(&p.Values.Args).Find(p.Span.Key, Type{Name: "x64", Kind: KindHex})
	if err != nil {
		return fmt.Errorf("on %s: %w", p.Span.Key, err)
	}
	if p.Values.Args[at].Type.HasBytes() {
		return fmt.Errorf("on %s: spans are identified by a number or an address, not by a text", p.Span.Key)
	}
	return nil
}

// UsualEnds returns the names of probes that usually end a span that begins with the probe begin,
// and the name of that span. It returns nothing if begin usually begins no span.
func UsualEnds(begin string) (ends []string, span string) {
	for _, pair := range [...]struct {
		begin string
		ends  []string
	}{
		{"start", []string{"done", "end", "stop", "finish"}},
		{"entry", []string{"return", "exit"}},
		{"begin", []string{"end", "done"}},
		{"enter", []string{"exit", "leave", "return"}},
		{"startup", []string{"shutdown"}},
	} {
		stem, ok := strings.CutSuffix(begin, pair.begin)
		span = strings.TrimRight(stem, "_-")
		if !ok || span == "" || span == stem {
			continue
		}
		for _, end := range pair.ends {
			ends = append(ends, stem+end)
		}
		return ends, span
	}
	return nil, ""
}
