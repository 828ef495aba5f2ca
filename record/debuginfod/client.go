package debuginfod

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits if the environment sets none.
const (
	defaultTimeout = 90 * time.Second
	defaultBytes   = 2 << 30
)

// maxSkipped limits how many skipped files are named.
const maxSkipped = 1000

// Client finds debug files in the cache, or downloads them into it. Its methods may be called from
// several goroutines.
type Client struct {
	// Notice, unless nil, is called with what went wrong.
	Notice func(text string)
	// Progress, unless nil, is called while a file is downloaded. total is 0 if it is unknown. When
	// the download has ended, it is called with the name "".
	Progress func(name string, done, total int64)

	ctx      context.Context
	http     http.Client
	cache    cache
	timeout  time.Duration // for each 100 KiB; 0: no limit
	maxTime  time.Duration // for one file; 0: no limit
	maxBytes int64

	mu      sync.Mutex
	servers []string // those that still answer
	stopped bool
	skipped []string // names of files that were not downloaded since
}

// New returns a client as the environment describes it, nil if it names no servers. The end of ctx
// ends downloads. The error is about the environment.
func New(ctx context.Context, getenv func(string) string) (*Client, error) {
	var servers []string
	for _, url := range strings.Fields(getenv("DEBUGINFOD_URLS")) {
		if strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://") {
			servers = append(servers, strings.TrimRight(url, "/"))
		}
	}
	if len(servers) == 0 {
		return nil, nil
	}
	dir := cacheDir(getenv)
	if dir == "" {
		return nil, errors.New("no cache directory: set HOME or DEBUGINFOD_CACHE_PATH")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	c := &Client{ctx: ctx, http: http.Client{Transport: transport}, cache: cache{dir}, servers: servers, timeout: defaultTimeout, maxBytes: defaultBytes}
	var timeout, maxTime int64 = int64(defaultTimeout / time.Second), 0
	for name, value := range map[string]*int64{"DEBUGINFOD_TIMEOUT": &timeout, "DEBUGINFOD_MAXTIME": &maxTime, "DEBUGINFOD_MAXSIZE": &c.maxBytes} {
		text := getenv(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s=%s: want a number", name, text)
		}
		*value = n
	}
	c.timeout, c.maxTime = seconds(timeout), seconds(maxTime)
	if c.maxBytes <= 0 {
		c.maxBytes = defaultBytes
	}
	return c, nil
}

// seconds limits a number of seconds to those that a Duration can hold; 0 and less mean no limit.
func seconds(n int64) time.Duration {
	const year = 366 * 24 * 3600
	return time.Duration(min(max(n, 0), year)) * time.Second
}

// Stop ends all downloads to come: from now on Fetch looks only into the cache.
func (c *Client) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
}

// Cached returns the path of a debug file in the cache, "" if it is not there. Nobody has checked
// its content.
func (c *Client) Cached(buildID string) string {
	if !isBuildID(buildID) {
		return ""
	}
	path, _ := c.cache.find(buildID)
	return path
}

// Fetch makes sure that the cache has the debug file of a program or library, if any server has it.
// name is that of the program or library, for people. What goes wrong is a notice.
func (c *Client) Fetch(buildID, name string) {
	if !isBuildID(buildID) {
		return
	}
	if path, missed := c.cache.find(buildID); path != "" || missed {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		if len(c.skipped) < maxSkipped && !slices.Contains(c.skipped, name) {
			c.skipped = append(c.skipped, name)
		}
		return
	}
	if err := c.download(buildID, name); err != nil {
		c.notice("debug file of %s: %v", name, err)
	}
}

// Skipped names the programs and libraries whose debug files Fetch was asked for after Stop, the
// first 1,000.
func (c *Client) Skipped() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.skipped)
}

func (c *Client) notice(text string, args ...any) {
	if c.Notice != nil {
		c.Notice(fmt.Sprintf(text, args...))
	}
}

// isBuildID reports whether a text is a build ID in hexadecimal, which can be a part of a path.
func isBuildID(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil && len(text) >= 8 && len(text) <= 128 && strings.ToLower(text) == text
}

// cacheDir returns the directory of the cache, "" if the environment names none.
func cacheDir(getenv func(string) string) string {
	if dir := getenv("DEBUGINFOD_CACHE_PATH"); dir != "" {
		return dir
	}
	home := getenv("HOME")
	if home != "" {
		old := home + "/.debuginfod_client_cache"
		if info, err := os.Stat(old); err == nil && info.IsDir() {
			return old
		}
	}
	switch xdg := getenv("XDG_CACHE_HOME"); {
	case xdg != "":
		return xdg + "/debuginfod_client"
	case home != "":
		return home + "/.cache/debuginfod_client"
	}
	return ""
}
