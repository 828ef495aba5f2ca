package debuginfod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"utrace/record/internal/elffile"
)

// chunk is what a server must deliver within the timeout, in bytes.
const chunk = 100 << 10

var (
	errNotFound = errors.New("the servers do not have it")
	errTooSlow  = errors.New("too slow")
	errTooLong  = errors.New("it takes longer than DEBUGINFOD_MAXTIME")
)

// download asks the servers for a debug file, one after the other. A file that none of them has is
// noted in the cache, and no error.
func (c *Client) download(buildID, name string) error {
	var failed []error
	for _, server := range slices.Clone(c.servers) {
		err := c.downloadFrom(server, buildID, name)
		if err == nil {
			return nil
		}
		if errors.Is(err, errNotFound) {
			continue
		}
		var refused *url.Error
		if errors.As(err, &refused) {
			err = refused.Err // without the URL
		}
		if refused != nil || errors.Is(err, errTooSlow) {
			c.servers = slices.DeleteFunc(c.servers, func(s string) bool { return s == server })
		}
		failed = append(failed, fmt.Errorf("%s: %w", server, err))
		if c.ctx.Err() != nil {
			break
		}
	}
	if len(failed) > 0 {
		return errors.Join(failed...)
	}
	return c.cache.miss(buildID)
}

// downloadFrom downloads a debug file into the cache.
func (c *Client) downloadFrom(server, buildID, name string) error {
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	if c.maxTime > 0 {
		defer time.AfterFunc(c.maxTime, func() { cancel(errTooLong) }).Stop()
	}
	alive := func() {}
	if c.timeout > 0 {
		timer := time.AfterFunc(c.timeout, func() { cancel(fmt.Errorf("%w: less than 100 KiB in %v", errTooSlow, c.timeout)) })
		defer timer.Stop()
		alive = func() { timer.Reset(c.timeout) }
	}

	err := c.get(ctx, server+"/buildid/"+buildID+"/debuginfo", buildID, name, alive)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// get downloads a URL, and keeps the file if it is the one that was asked for. alive is called for
// each chunk.
func (c *Client) get(ctx context.Context, url, buildID, name string, alive func()) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "utrace")
	req.Header.Set("X-DEBUGINFOD-MAXSIZE", fmt.Sprint(c.maxBytes))
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return errNotFound
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	case resp.ContentLength > c.maxBytes:
		return c.tooLarge()
	}

	f, err := c.cache.begin(buildID)
	if err != nil {
		return err
	}
	in := &countingReader{Reader: resp.Body, alive: alive, show: func(done int64) { c.show(name, done, resp.ContentLength) }}
	n, err := io.Copy(f, io.LimitReader(in, c.maxBytes+1))
	c.show("", 0, 0)
	switch {
	case err != nil:
	case n > c.maxBytes:
		err = c.tooLarge()
	default:
		err = check(f.path(), buildID)
	}
	if err != nil {
		f.discard()
		return err
	}
	return f.keep()
}

func (c *Client) tooLarge() error {
	return fmt.Errorf("larger than %d bytes (DEBUGINFOD_MAXSIZE)", c.maxBytes)
}

func (c *Client) show(name string, done, total int64) {
	if c.Progress != nil {
		c.Progress(name, done, max(total, 0))
	}
}

// check refuses a file that does not belong to a build ID. Servers may send the program itself, if
// it is not stripped.
func check(path, buildID string) error {
	f, err := elffile.OpenNames(path)
	if err != nil {
		return fmt.Errorf("what it sent is no debug file: %w", errors.Unwrap(err))
	}
	defer f.Close()
	if f.BuildID != buildID {
		return fmt.Errorf("what it sent has the build ID %q", f.BuildID)
	}
	return nil
}

// countingReader counts what is read.
type countingReader struct {
	io.Reader
	alive func()
	show  func(done int64)
	done  int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	before := r.done / chunk
	if r.done += int64(n); r.done/chunk > before {
		r.alive()
		r.show(r.done)
	}
	return n, err
}
