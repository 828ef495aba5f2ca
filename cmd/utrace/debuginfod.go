package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"

	"utrace/analyze"
	"utrace/record/debuginfod"
)

// newDebuginfod returns the client that the environment asks for, nil if it asks for none. Errors
// and progress go to stderr.
func newDebuginfod(ctx context.Context, stderr io.Writer) *debuginfod.Client {
	notice := func(text string) { fmt.Fprintf(stderr, "utrace: debuginfod: %s\n", analyze.Printable(text)) }
	client, err := debuginfod.New(ctx, os.Getenv)
	if err != nil {
		notice(err.Error() + ": no debug files are downloaded")
		return nil
	}
	if client == nil {
		return nil
	}
	client.Notice = notice
	if isTerminal(stderr) {
		client.Progress = downloadLine(stderr)
	}
	return client
}

// downloadLine shows the progress of each download in one line, and removes the line at its end.
func downloadLine(w io.Writer) func(name string, done, total int64) {
	var bar *progressbar.ProgressBar
	return func(name string, done, total int64) {
		if name == "" {
			if bar != nil {
				bar.Finish()
				bar = nil
			}
			return
		}
		if bar == nil {
			if total == 0 {
				total = -1
			}
			bar = progressbar.NewOptions64(total,
				progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(20), progressbar.OptionClearOnFinish(),
				progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false), progressbar.OptionSpinnerType(14))
		}
		bar.Describe(fmt.Sprintf("downloading the debug file of %s, %s", analyze.Printable(name), humanize.IBytes(uint64(done))))
		bar.Set64(done)
	}
}
