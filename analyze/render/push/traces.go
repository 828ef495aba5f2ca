package push

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"utrace/analyze"
)

// Traces sends messages with spans to a collector, a request for each. To an address without a path
// it adds that of the specification, /v1/traces. It fails if the collector rejects spans.
func Traces(ctx context.Context, address string, messages [][]byte) error {
	to, err := at(address, "")
	if err != nil {
		return err
	}
	if strings.Trim(to.Path, "/") == "" {
		to = to.JoinPath("v1/traces")
	}
	for _, message := range messages {
		if err := sendSpans(ctx, to, message); err != nil {
			return err
		}
	}
	return nil
}

func sendSpans(ctx context.Context, to *url.URL, message []byte) error {
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	_, err := z.Write(message)
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	headers := map[string]string{"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
	answer, err := post(ctx, to, headers, body.Bytes())
	if err != nil {
		return err
	}
	if rejected, why := partialSuccess(answer); rejected > 0 {
		return fmt.Errorf("%s: the server has rejected %s: %s", to.Redacted(), analyze.Plural(rejected, "span", "spans"), analyze.Printable(why))
	}
	return nil
}

// partialSuccess reads the answer of a collector, an ExportTraceServiceResponse: how many spans it has
// rejected, and why. Its field 1 has the fields 1, rejected_spans, and 2, error_message.
func partialSuccess(answer []byte) (rejected uint64, why string) {
	eachField(answer, func(n protowire.Number, _ uint64, inner []byte) {
		if n != 1 {
			return
		}
		eachField(inner, func(n protowire.Number, number uint64, text []byte) {
			switch n {
			case 1:
				rejected = number
			case 2:
				why = string(text[:min(len(text), maxShownBytes)])
			}
		})
	})
	return rejected, why
}

// eachField visits the fields of a message that are numbers, or have bytes. It ends at bytes that are
// no message.
func eachField(message []byte, visit func(n protowire.Number, number uint64, text []byte)) {
	for len(message) > 0 {
		n, typ, size := protowire.ConsumeTag(message)
		if size < 0 {
			return
		}
		message = message[size:]
		if size = protowire.ConsumeFieldValue(n, typ, message); size < 0 {
			return
		}
		switch typ {
		case protowire.VarintType:
			number, _ := protowire.ConsumeVarint(message)
			visit(n, number, nil)
		case protowire.BytesType:
			text, _ := protowire.ConsumeBytes(message)
			visit(n, 0, text)
		}
		message = message[size:]
	}
}
