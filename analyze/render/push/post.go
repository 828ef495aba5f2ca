package push

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"utrace/analyze"
)

// Limits of a request.
const (
	timeout        = 30 * time.Second
	maxAnswerBytes = 64 << 10
	maxShownBytes  = 200 // of an answer that is an error
)

// IsURL reports whether a text is the address of a server, rather than a file.
func IsURL(text string) bool {
	return strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")
}

// at returns the address of an endpoint of a server.
func at(server, endpoint string) (*url.URL, error) {
	u, err := url.Parse(server)
	switch {
	case err != nil:
		return nil, err
	case !IsURL(server) || u.Host == "":
		return nil, errors.New("want an address such as http://localhost:4318")
	}
	return u.JoinPath(endpoint), nil
}

// post sends a body, and returns the answer. It fails unless the server accepts it.
func post(ctx context.Context, to *url.URL, headers map[string]string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "utrace")
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode/100 != 2 {
		shown := strings.TrimSpace(analyze.Printable(string(text[:min(len(text), maxShownBytes)])))
		return nil, fmt.Errorf("%s: the server answers %s: %s", to.Redacted(), analyze.Printable(answer.Status), shown)
	}
	return text, nil
}
