package push

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"mime/multipart"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
)

// Profile is a profile of a recording.
type Profile struct {
	*profile.Profile
	Service string            // the program
	Labels  map[string]string // keys as of a recording
}

// encode returns the profile as pprof writes it, compressed.
func (p *Profile) encode() ([]byte, error) {
	var out bytes.Buffer
	err := p.Write(&out)
	return out.Bytes(), err
}

// labelName makes a name that Prometheus, and so both servers, allow: letters, digits and _.
func labelName(key string) string {
	return strings.NewReplacer(".", "_", "-", "_", "/", "_").Replace(key)
}

// Pyroscope sends a profile to the address of a Pyroscope server.
func Pyroscope(ctx context.Context, address string, p *Profile) error {
	to, err := at(address, "ingest")
	if err != nil {
		return err
	}
	data, err := p.encode()
	if err != nil {
		return err
	}
	types := map[string]any{}
	for _, t := range p.SampleType {
		types[t.Type] = map[string]any{"units": t.Unit, "display-name": t.Type, "aggregation": "sum", "cumulative": false, "sampled": false}
	}
	config, err := json.Marshal(types)
	if err != nil {
		return err
	}

	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, part := range []struct {
		name string
		data []byte
	}{{"profile", data}, {"sample_type_config", config}} {
		w, err := form.CreateFormFile(part.name, part.name)
		if err == nil {
			_, err = w.Write(part.data)
		}
		if err != nil {
			return err
		}
	}
	if err := form.Close(); err != nil {
		return err
	}

	const second = 1_000_000_000
	from := p.TimeNanos / second
	to.RawQuery = url.Values{
		"name": {p.pyroscopeName()}, "format": {"pprof"}, "spyName": {"utrace"},
		"from": {strconv.FormatInt(from, 10)}, "until": {strconv.FormatInt(max(from+1, (p.TimeNanos+p.DurationNanos)/second), 10)},
	}.Encode()
	_, err = post(ctx, to, map[string]string{"Content-Type": form.FormDataContentType()}, body.Bytes())
	return err
}

// pyroscopeName is the name of the program with the labels: web{host=web1,version=1.4.2}. Characters
// that the name's syntax needs become _ in values.
func (p *Profile) pyroscopeName() string {
	plain := strings.NewReplacer("{", "_", "}", "_", ",", "_", "=", "_", `"`, "_")
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(p.Labels)) {
		pairs = append(pairs, labelName(key)+"="+plain.Replace(p.Labels[key]))
	}
	return plain.Replace(p.Service) + "{" + strings.Join(pairs, ",") + "}"
}

// Messages of Parca's ProfileStoreService in JSON.
type (
	writeRawRequest struct {
		Series     []rawSeries `json:"series"`
		Normalized bool        `json:"normalized"` // addresses are those in the files
	}
	rawSeries struct {
		Labels  labelSet    `json:"labels"`
		Samples []rawSample `json:"samples"`
	}
	labelSet struct {
		Labels []label `json:"labels"`
	}
	label struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	rawSample struct {
		RawProfile []byte `json:"raw_profile"` // base64
	}
)

// Parca sends a profile to the address of the HTTP gateway of a Parca server.
func Parca(ctx context.Context, address string, p *Profile) error {
	to, err := at(address, "profiles/writeraw")
	if err != nil {
		return err
	}
	data, err := p.encode()
	if err != nil {
		return err
	}
	labels := []label{{"__name__", "utrace"}, {"job", p.Service}}
	for _, key := range slices.Sorted(maps.Keys(p.Labels)) {
		labels = append(labels, label{labelName(key), p.Labels[key]})
	}
	body, err := json.Marshal(writeRawRequest{Normalized: true, Series: []rawSeries{{labelSet{labels}, []rawSample{{data}}}}})
	if err != nil {
		return err
	}
	answer, err := post(ctx, to, map[string]string{"Content-Type": "application/json"}, body)
	if err == nil && len(bytes.TrimSpace(answer)) > 0 && !json.Valid(answer) {
		return errors.New(to.Redacted() + ": the answer is no JSON: is this the address of Parca's gateway?")
	}
	return err
}
