package debuginfod

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"utrace/record/internal/elffile"
	"utrace/record/internal/elftest"
)

// fixture returns the content of a debug file, and its build ID.
func fixture(t *testing.T) (content []byte, buildID string) {
	t.Helper()
	path := filepath.Join("..", "internal", "elffile", elftest.SplitDir, "pie.debug")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elffile.OpenNames(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return content, f.BuildID
}

// client returns a client for servers with an empty cache, and its notices. env is NAME=VALUE.
func client(t *testing.T, urls string, env ...string) (c *Client, notices *[]string) {
	t.Helper()
	values := map[string]string{"DEBUGINFOD_URLS": urls, "DEBUGINFOD_CACHE_PATH": filepath.Join(t.TempDir(), "cache")}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		values[name] = value
	}
	c, err := New(t.Context(), func(name string) string { return values[name] })
	if err != nil {
		t.Fatal(err)
	}
	notices = &[]string{}
	c.Notice = func(text string) { *notices = append(*notices, text) }
	return c, notices
}

// server answers every request with handle, and counts the requests.
func server(t *testing.T, handle http.HandlerFunc) (url string, requests *int) {
	t.Helper()
	requests = new(int)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*requests++
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

// serve is a server with one debug file.
func serve(content []byte, buildID string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/buildid/"+buildID+"/debuginfo" {
			http.NotFound(w, r)
			return
		}
		w.Write(content)
	}
}

// left returns the files of the cache that are neither debug files nor misses.
func left(t *testing.T, c *Client) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.cache.dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if filepath.Base(f) != "debuginfo" {
			names = append(names, f)
		}
	}
	return names
}

func TestDownload(t *testing.T) {
	content, id := fixture(t)
	url, requests := server(t, serve(content, id))
	c, notices := client(t, url+"/")
	shown := ""
	c.Progress = func(name string, _, _ int64) { shown += name + "." }
	if path := c.Cached(id); path != "" {
		t.Fatalf("the cache is not empty: %s", path)
	}
	for range 2 {
		c.Fetch(id, "/bin/prog")
	}
	path := c.Cached(id)
	if got, err := os.ReadFile(path); err != nil || string(got) != string(content) {
		t.Fatalf("%q has %d bytes, want %d: %v, %q", path, len(got), len(content), err, *notices)
	}
	if want := filepath.Join(c.cache.dir, id, "debuginfo"); path != want {
		t.Errorf("it is in %s, elfutils has it in %s", path, want)
	}
	if *requests != 1 || len(*notices) != 0 || len(left(t, c)) != 0 {
		t.Errorf("%d requests, want 1; notices %q; left %q", *requests, *notices, left(t, c))
	}
	if !strings.HasSuffix(shown, ".") {
		t.Errorf("progress %q does not end", shown)
	}
}

// The next server is asked if one does not have the file, or fails.
func TestNextServer(t *testing.T) {
	content, id := fixture(t)
	without, _ := server(t, http.NotFound)
	broken, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	with, _ := server(t, serve(content, id))
	c, notices := client(t, without+" ima:ignored "+broken+" "+with)
	c.Fetch(id, "/bin/prog")
	if c.Cached(id) == "" {
		t.Errorf("not found: %q", *notices)
	}
}

// A miss is remembered in the cache, as elfutils does, for as long as the cache says.
func TestMiss(t *testing.T) {
	_, id := fixture(t)
	url, requests := server(t, http.NotFound)
	c, notices := client(t, url)
	c.Fetch(id, "/bin/prog")
	c.Fetch(id, "/bin/prog")
	info, err := os.Stat(c.cache.path(id))
	if err != nil || info.Size() != 0 || *requests != 1 || len(*notices) != 0 || c.Cached(id) != "" {
		t.Fatalf("%v, %v, %d requests, notices %q", info, err, *requests, *notices)
	}
	if err := os.WriteFile(filepath.Join(c.cache.dir, "cache_miss_s"), []byte("60"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * time.Minute)
	if err := os.Chtimes(c.cache.path(id), old, old); err != nil {
		t.Fatal(err)
	}
	if c.Fetch(id, "/bin/prog"); *requests != 2 {
		t.Errorf("%d requests, want 2: the miss is older than a minute", *requests)
	}
}

// A FIFO in the cache does not stop a client.
func TestFIFOInCache(t *testing.T) {
	_, id := fixture(t)
	url, requests := server(t, http.NotFound)
	c, _ := client(t, url)
	c.Fetch(id, "/bin/prog")
	if err := syscall.Mkfifo(filepath.Join(c.cache.dir, "cache_miss_s"), 0o600); err != nil {
		t.Skip(err)
	}
	if c.Fetch(id, "/bin/prog"); *requests != 1 {
		t.Errorf("%d requests, want 1: a miss is remembered", *requests)
	}
}

// What a server should not send is refused, and leaves nothing in the cache.
func TestHostileServer(t *testing.T) {
	content, id := fixture(t)
	other := strings.Repeat("ab", 20)
	zeros := func(w io.Writer) {
		b := make([]byte, 1<<20)
		for range 64 {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	}
	for _, test := range []struct {
		what, id, notice string
		handle           http.HandlerFunc
	}{
		{"another build ID", other, `has the build ID "` + id + `"`, serve(content, other)},
		{"no ELF file", id, "no debug file", serve([]byte("<html>hello</html>"), id)},
		{"half of a file", id, "no debug file", serve(content[:100], id)},
		{"a broken connection", id, "unexpected EOF", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(content)))
			w.Write(content[:len(content)/2])
		}},
		{"a file above the limit", id, "larger than", func(w http.ResponseWriter, _ *http.Request) { zeros(w) }},
		{"a size above the limit", id, "larger than", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000000000")
		}},
		{"a file that expands", id, "larger than", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			zeros(z)
			z.Close()
		}},
		{"a redirection without end", id, "redirects", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }},
		{"a redirection to a file", id, "unsupported protocol", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}},
	} {
		url, _ := server(t, test.handle)
		c, notices := client(t, url, "DEBUGINFOD_MAXSIZE=1000000")
		c.Fetch(test.id, "/bin/prog")
		if len(*notices) != 1 || !strings.Contains((*notices)[0], test.notice) || !strings.Contains((*notices)[0], "/bin/prog") {
			t.Errorf("%s: notices %q, want one with %q", test.what, *notices, test.notice)
		}
		if c.Cached(test.id) != "" || len(left(t, c)) != 0 {
			t.Errorf("%s: the cache has %s, %q", test.what, c.Cached(test.id), left(t, c))
		}
	}
}

// A server that does not answer, or too slowly, is given up and not asked again.
func TestSlowServer(t *testing.T) {
	content, id := fixture(t)
	done := make(chan struct{})
	defer close(done)
	hang := func(begin bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if begin {
				w.Write(content[:100])
				w.(http.Flusher).Flush()
			}
			select {
			case <-done:
			case <-r.Context().Done():
			}
		}
	}
	for what, handle := range map[string]http.HandlerFunc{"silent": hang(false), "stalled": hang(true)} {
		url, requests := server(t, handle)
		c, notices := client(t, url)
		c.timeout = 50 * time.Millisecond
		c.Fetch(id, "/bin/prog")
		c.Fetch(id, "/bin/prog")
		if *requests != 1 || len(*notices) != 1 || !strings.Contains((*notices)[0], "too slow") || len(left(t, c)) != 0 {
			t.Errorf("%s: %d requests, notices %q, left %q", what, *requests, *notices, left(t, c))
		}
	}
	url, _ := server(t, hang(true))
	c, notices := client(t, url)
	c.maxTime = 50 * time.Millisecond
	if c.Fetch(id, "/bin/prog"); len(*notices) != 1 || !strings.Contains((*notices)[0], "DEBUGINFOD_MAXTIME") {
		t.Errorf("maximum time: notices %q", *notices)
	}
}

// After Stop nothing is downloaded, and each file is named once.
func TestStop(t *testing.T) {
	content, id := fixture(t)
	url, requests := server(t, serve(content, id))
	c, notices := client(t, url)
	c.Stop()
	c.Fetch(id, "/bin/prog")
	c.Fetch(id, "/bin/prog")
	if *requests != 0 || len(*notices) != 0 || !slices.Equal(c.Skipped(), []string{"/bin/prog"}) || c.Cached(id) != "" {
		t.Errorf("%d requests, notices %q, skipped %q", *requests, *notices, c.Skipped())
	}
}

// A link in the cache does not lead a download out of it.
func TestLinkInCache(t *testing.T) {
	content, id := fixture(t)
	url, _ := server(t, serve(content, id))
	c, notices := client(t, url)
	elsewhere := t.TempDir()
	if err := os.MkdirAll(c.cache.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(c.cache.dir, id)); err != nil {
		t.Fatal(err)
	}
	c.Fetch(id, "/bin/prog")
	if files, _ := os.ReadDir(elsewhere); len(files) != 0 || len(*notices) != 1 {
		t.Errorf("%d files were written to another directory; notices %q", len(files), *notices)
	}
}

// A build ID comes from a hostile file: it must not become another path.
func TestBuildIDIsNoPath(t *testing.T) {
	url, requests := server(t, http.NotFound)
	c, _ := client(t, url)
	for _, id := range []string{"", "..", "../../etc", "ab", "abcdefgh/", "ABCDEF0123", strings.Repeat("ab", 100)} {
		c.Fetch(id, "/bin/prog")
		if c.Cached(id) != "" {
			t.Errorf("%q is cached", id)
		}
	}
	if *requests != 0 {
		t.Errorf("%d requests", *requests)
	}
}

func TestEnvironment(t *testing.T) {
	home := t.TempDir()
	env := map[string]string{"HOME": home}
	get := func() (*Client, error) {
		return New(context.Background(), func(name string) string { return env[name] })
	}
	if c, err := get(); c != nil || err != nil {
		t.Errorf("without servers: %v, %v", c, err)
	}
	env["DEBUGINFOD_URLS"] = "https://example.org"
	wantDir := func(want string) {
		t.Helper()
		if c, err := get(); err != nil || c.cache.dir != want {
			t.Errorf("cache %v, %v, want %s", c, err, want)
		}
	}
	wantDir(home + "/.cache/debuginfod_client")
	env["XDG_CACHE_HOME"] = "/xdg"
	wantDir("/xdg/debuginfod_client")
	if err := os.Mkdir(home+"/.debuginfod_client_cache", 0o700); err != nil {
		t.Fatal(err)
	}
	wantDir(home + "/.debuginfod_client_cache")
	env["DEBUGINFOD_CACHE_PATH"] = "/cache"
	wantDir("/cache")

	env["DEBUGINFOD_TIMEOUT"], env["DEBUGINFOD_MAXTIME"], env["DEBUGINFOD_MAXSIZE"] = "5", "60", "1000"
	if c, err := get(); err != nil || c.timeout != 5*time.Second || c.maxTime != time.Minute || c.maxBytes != 1000 {
		t.Errorf("%+v, %v", c, err)
	}
	env["DEBUGINFOD_TIMEOUT"] = "0"
	if c, err := get(); err != nil || c.timeout != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	env["DEBUGINFOD_TIMEOUT"] = "soon"
	if _, err := get(); err == nil || !strings.Contains(err.Error(), "DEBUGINFOD_TIMEOUT=soon") {
		t.Errorf("error %v", err)
	}
}
