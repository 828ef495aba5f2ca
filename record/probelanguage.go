package record

import "utrace/record/internal/probe"

// Probe is a parsed PROBE of the command line.
type Probe = probe.Probe

// Preset is a named set of probes.
type Preset = probe.Preset

// Errors that callers distinguish.
var (
	// ErrProbe is wrapped by errors about one probe.
	ErrProbe = probe.ErrProbe
	// ErrSyntax is wrapped by errors about the text of a probe or a pattern.
	ErrSyntax = probe.ErrSyntax
	// ErrPreset is wrapped if no preset has the name.
	ErrPreset = probe.ErrPreset
)

// ParseProbe parses the text of a probe. Errors wrap ErrProbe and ErrSyntax.
func ParseProbe(text string) (*Probe, error) { return probe.Parse(text) }

// ParseProbes parses the texts of probes. Errors are those of ParseProbe.
func ParseProbes(texts ...string) ([]*Probe, error) {
	list := make([]*Probe, 0, len(texts))
	for _, text := range texts {
		p, err := ParseProbe(text)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// Presets returns all presets, by name.
func Presets() []Preset { return probe.Presets() }
