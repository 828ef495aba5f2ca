package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"

	"utrace/analyze"
	"utrace/analyze/render/otlp"
	"utrace/analyze/render/push"
	"utrace/format"
)

// writeSpans makes the export of --otlp.
func (f *exportFlags) writeSpans(ctx context.Context, out io.Writer, paths []string, opts analyze.Options, warn func([]analyze.Warning)) error {
	spans := otlp.NewSpans(int(f.slowest), f.slower)
	warnings, err := analyze.EachCall(paths, opts, spans.Add)
	if err != nil {
		return err
	}
	warn(warnings)
	warn(spans.Warnings())
	messages, err := spans.Messages()
	if err != nil {
		return err
	}
	write := func(w io.Writer) error {
		for _, message := range messages { // one after another they are one message
			if _, err := w.Write(message); err != nil {
				return err
			}
		}
		return nil
	}
	switch {
	case push.IsURL(f.otlp):
		err = push.Traces(ctx, f.otlp, messages)
	case f.otlp == "-":
		return write(out)
	default:
		return intoFile("otlp", f.otlp, write)
	}
	if err != nil {
		return fmt.Errorf("--otlp: %w", err)
	}
	return nil
}

// sendProfiles makes the exports of --pyroscope and --parca: a profile for each trace.
func (f *exportFlags) sendProfiles(ctx context.Context, paths []string, opts analyze.Options, warn func([]analyze.Warning)) error {
	for _, path := range paths {
		meta, err := analyze.ReadMeta(path, opts)
		if err != nil {
			return err
		}
		profile, warnings, err := analyze.Profile([]string{path}, opts)
		if err != nil {
			return err
		}
		warn(warnings)
		p := &push.Profile{Profile: profile, Labels: maps.Clone(meta.Labels)}
		if p.Labels == nil {
			p.Labels = map[string]string{}
		}
		p.Labels["host"] = meta.Host
		p.Service = serviceOf(p, &meta)
		if f.pyroscope != "" {
			if err := push.Pyroscope(ctx, f.pyroscope, p); err != nil {
				return fmt.Errorf("--pyroscope: %w", err)
			}
		}
		if f.parca != "" {
			if err := push.Parca(ctx, f.parca, p); err != nil {
				return fmt.Errorf("--parca: %w", err)
			}
		}
	}
	return nil
}

// serviceOf names what a profile is of: the label service.name, the command, or the only program.
func serviceOf(p *push.Profile, meta *format.Meta) string {
	if name := meta.Labels["service.name"]; name != "" {
		return name
	}
	if len(meta.Command) > 0 {
		return filepath.Base(meta.Command[0])
	}
	programs := map[string]bool{}
	for _, s := range p.Sample {
		for _, program := range s.Label["process"] {
			programs[program] = true
		}
	}
	for program := range programs {
		if len(programs) == 1 && program != "" {
			return program
		}
	}
	return "utrace"
}
