package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"

	"github.com/klauspost/compress/gzip"

	"utrace/analyze"
	"utrace/analyze/render"
	"utrace/analyze/why"
)

//go:generate npm ci --ignore-scripts --no-audit --no-fund
//go:generate npm run --silent build

// The program and the style of a page, and the licences of what the program contains.
var (
	//go:embed bundle.js
	script string
	//go:embed bundle.css
	style string
	//go:embed LICENSES.txt
	licenses string
)

// MaxBytes is the size of the largest page.
const MaxBytes = 4 << 20

// Input is what a page of traces shows.
type Input struct {
	Digest  *analyze.Digest
	Why     *why.Explanation // nil for none
	Words   render.Words
	Version string // of utrace
}

// Write writes a page of at most MaxBytes.
func Write(w io.Writer, in *Input) error {
	return writePage(w, mostData(len(in.Digest.Details)), func(lim limits) (*data, error) { return newData(in, lim) })
}

// writePage writes a page within limits, or with less if that is too large.
func writePage(w io.Writer, lim limits, collect func(limits) (*data, error)) error {
	for ; ; lim = lim.less() {
		d, err := collect(lim)
		if err != nil {
			return err
		}
		text, err := document(d)
		if err != nil {
			return err
		}
		if len(text) <= MaxBytes || lim.least() {
			_, err := w.Write(text)
			return err
		}
	}
}

// document makes the file.
func document(d *data) ([]byte, error) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	enc := json.NewEncoder(zip)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '%s'; style-src '%s'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s – utrace</title>
<style>%s</style>
</head>
<body>
<noscript>This page needs JavaScript. It loads nothing, and sends nothing.</noscript>
<div id="app"></div>
<template id="licenses">%s</template>
<script type="application/octet-stream" id="data">`, hash(script), hash(style), html.EscapeString(d.Title), style, html.EscapeString(licenses))
	to := base64.NewEncoder(base64.StdEncoding, &b)
	if _, err := to.Write(packed.Bytes()); err != nil {
		return nil, err
	}
	if err := to.Close(); err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "</script>\n<script>%s</script>\n</body>\n</html>\n", script)
	return b.Bytes(), nil
}

// hash is how a content security policy names a script or a style.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
