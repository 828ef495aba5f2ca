package push

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"google.golang.org/protobuf/encoding/protowire"
)

// server answers all requests with a status and a text, and passes them to look.
func server(t *testing.T, status int, answer string, look func(r *http.Request, body []byte)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		look(r, body)
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestTraces(t *testing.T) {
	var rejection []byte
	rejection = protowire.AppendTag(rejection, 2, protowire.BytesType)
	rejection = protowire.AppendString(rejection, "too \x1bold")
	rejection = protowire.AppendTag(rejection, 1, protowire.VarintType)
	rejection = protowire.AppendVarint(rejection, 3)
	partial := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), rejection)
	for _, c := range []struct {
		status   int
		answer   string
		path     string
		requests string
		want     string // of the error, "" for none
	}{
		{200, "", "", "/v1/traces one|/v1/traces two", ""},
		{200, "", "/other/v1/traces", "/other/v1/traces one|/other/v1/traces two", ""},
		{200, "{}", "/", "/v1/traces one|/v1/traces two", ""},
		{200, string(partial), "", "/v1/traces one", `/v1/traces: the server has rejected 3 spans: too \x1bold`},
		{429, "slow \x1bdown", "", "/v1/traces one", `the server answers 429 Too Many Requests: slow \x1bdown`},
		{500, strings.Repeat("x", 1<<20), "", "/v1/traces one", "500 Internal Server Error: " + strings.Repeat("x", maxShownBytes)},
	} {
		var requests []string
		url := server(t, c.status, c.answer, func(r *http.Request, body []byte) {
			z, err := gzip.NewReader(bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(z)
			if err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("Content-Encoding") != "gzip" {
				t.Error(r.Method, r.Header, err)
			}
			requests = append(requests, r.URL.Path+" "+string(text))
		})
		err := Traces(context.Background(), url+c.path, [][]byte{[]byte("one"), []byte("two")})
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || len(err.Error()) > 400) {
			t.Errorf("%d: %v, want %q", c.status, err, c.want)
		}
		if got := strings.Join(requests, "|"); got != c.requests {
			t.Errorf("%d: requests %q, want %q", c.status, got, c.requests)
		}
	}
	for _, address := range []string{"http://", "ftp://x", "http://[::1"} {
		if err := Traces(context.Background(), address, nil); err == nil {
			t.Errorf("%s: no error", address)
		}
	}
}

func testProfile() *Profile {
	f := &profile.Function{ID: 1, Name: "work"}
	l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f}}}
	return &Profile{
		Profile: &profile.Profile{
			SampleType: []*profile.ValueType{{Type: "calls", Unit: "count"}, {Type: "wall", Unit: "nanoseconds"}},
			Sample:     []*profile.Sample{{Location: []*profile.Location{l}, Value: []int64{3, 700}}},
			Location:   []*profile.Location{l}, Function: []*profile.Function{f},
			TimeNanos: 1_700_000_000_500_000_000, DurationNanos: 2_000_000_000,
		},
		Service: "web,1", Labels: map[string]string{"host": "web1", "k8s.pod-name/x": "a{b=c}"},
	}
}

func checkProfile(t *testing.T, data []byte) {
	t.Helper()
	p, err := profile.ParseData(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Sample) != 1 || p.Sample[0].Value[1] != 700 || p.Sample[0].Location[0].Line[0].Function.Name != "work" {
		t.Errorf("%v", p)
	}
}

func TestPyroscope(t *testing.T) {
	requests := 0
	url := server(t, 200, "", func(r *http.Request, body []byte) {
		requests++
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			t.Fatal(err)
		}
		part := func(name string) []byte {
			f, _, err := r.FormFile(name)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(f)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
		checkProfile(t, part("profile"))
		var types map[string]map[string]any
		if err := json.Unmarshal(part("sample_type_config"), &types); err != nil || types["wall"]["units"] != "nanoseconds" || types["calls"]["aggregation"] != "sum" {
			t.Error(types, err)
		}
		q := r.URL.Query()
		got := fmt.Sprint(r.URL.Path, " ", q.Get("name"), " ", q.Get("format"), " ", q.Get("from"), " ", q.Get("until"))
		if got != "/pyroscope/ingest web_1{host=web1,k8s_pod_name_x=a_b_c_} pprof 1700000000 1700000002" {
			t.Error(got)
		}
	})
	if err := Pyroscope(context.Background(), url+"/pyroscope", testProfile()); err != nil || requests != 1 {
		t.Errorf("%v, %d requests", err, requests)
	}
	refusing := server(t, 422, "no", func(*http.Request, []byte) {})
	if err := Pyroscope(context.Background(), refusing, testProfile()); err == nil {
		t.Error("no error")
	}
}

func TestParca(t *testing.T) {
	requests := 0
	url := server(t, 200, "{}", func(r *http.Request, body []byte) {
		requests++
		var request struct {
			Normalized bool
			Series     []struct {
				Labels struct {
					Labels []struct{ Name, Value string }
				}
				Samples []struct {
					RawProfile []byte `json:"raw_profile"`
				}
			}
		}
		if err := json.Unmarshal(body, &request); err != nil || len(request.Series) != 1 {
			t.Fatal(err, string(body))
		}
		series := request.Series[0]
		if got := fmt.Sprint(r.URL.Path, " ", request.Normalized, " ", series.Labels.Labels); got != "/api/profiles/writeraw true [{__name__ utrace} {job web,1} {host web1} {k8s_pod_name_x a{b=c}}]" {
			t.Error(got)
		}
		checkProfile(t, series.Samples[0].RawProfile)
	})
	if err := Parca(context.Background(), url+"/api", testProfile()); err != nil || requests != 1 {
		t.Errorf("%v, %d requests", err, requests)
	}
	page := server(t, 200, "<html>", func(*http.Request, []byte) {})
	if err := Parca(context.Background(), page, testProfile()); err == nil || !strings.Contains(err.Error(), "is this the address of Parca's gateway?") {
		t.Errorf("a page instead of an answer: %v", err)
	}
}

// FuzzAnswer: no answer of a collector makes eachField run on, or read beyond it.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte{0x0a, 0x02, 0x08, 0x03})
	f.Add([]byte{0x7b, 0x7d})
	f.Fuzz(func(t *testing.T, answer []byte) {
		if _, why := partialSuccess(answer); len(why) > maxShownBytes {
			t.Errorf("%d bytes", len(why))
		}
	})
}
