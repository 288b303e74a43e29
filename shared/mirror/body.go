package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// placedBody gives the connection's place back when the body is closed.
type placedBody struct {
	io.ReadCloser

	ctx     context.Context //nolint:containedctx // it is the try's own, and ends with the body
	release func()          // once
	read    int64
}

// Read reads, and names the time-out when the try took too long.
func (b *placedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = because(b.ctx, err)
	}
	return n, err
}

// Close closes the body; closing it again does nothing more.
func (b *placedBody) Close() error {
	defer b.release()
	return b.ReadCloser.Close() //nolint:wrapcheck // the transport's own error
}

// limit caps an answer; the name is that of the setting.
type limit struct {
	name  string
	bytes int64
}

// read reads a body up to its cap, into memory that fits when the length is
// known beforehand.
func (l limit) read(response *http.Response) ([]byte, error) {
	tooLarge := fmt.Errorf("%w: more than %s, %d bytes", errTooLarge, l.name, l.bytes)
	if response.ContentLength > l.bytes {
		return nil, tooLarge
	}
	var buffer bytes.Buffer
	if response.ContentLength > 0 {
		buffer.Grow(int(response.ContentLength) + bytes.MinRead)
	}
	if _, err := buffer.ReadFrom(io.LimitReader(response.Body, l.bytes+1)); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if int64(buffer.Len()) > l.bytes {
		return nil, tooLarge
	}
	return buffer.Bytes(), nil
}

// beginning is what can be had of an answer that is only good for a message.
// It is read on a little beyond what is shown, so that the connection can be
// kept; what cannot be read changes nothing.
func beginning(body io.Reader) []byte {
	const most = 64 << 10
	data, _ := io.ReadAll(io.LimitReader(body, most))
	return data
}
