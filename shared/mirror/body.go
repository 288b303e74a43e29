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
	tooLarge := l.tooLarge()
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

func (l limit) tooLarge() error {
	return fmt.Errorf("%w: more than %s, %d bytes", errTooLarge, l.name, l.bytes)
}

// stream hands a body on while it comes, up to its cap. What a decoder finds wrong
// is the answer's fault only if all that it has read could be read.
func (l limit) stream(response *http.Response, decode func(io.Reader) error) error {
	if response.ContentLength > l.bytes {
		return l.tooLarge()
	}
	body := &capped{from: response.Body, left: l.bytes}
	err := decode(body)
	switch {
	case errors.Is(body.err, errCapped):
		return l.tooLarge()
	case body.err != nil:
		return fmt.Errorf("reading the answer: %w", body.err)
	case err != nil:
		return fmt.Errorf("%w: %w", errNotJSON, err)
	}
	return nil
}

// errCapped says that a body goes on beyond its cap.
var errCapped = errors.New("beyond the cap")

// capped reads up to a number of bytes, and keeps the error that ended it.
type capped struct {
	from io.Reader
	left int64
	err  error
}

// Read reads one byte more than are left, to tell an end from a cap.
func (c *capped) Read(p []byte) (int, error) {
	n, err := c.from.Read(p[:min(int64(len(p)), c.left+1)])
	if c.left -= int64(n); c.left < 0 {
		n, err = n+int(c.left), errCapped
		c.left = 0
	}
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// beginning is what can be had of an answer that is only good for a message.
// Reading continues a little beyond the shown part, so that the connection can be
// kept; what cannot be read changes nothing.
func beginning(body io.Reader) []byte {
	const maxBytes = 64 << 10
	data, _ := io.ReadAll(io.LimitReader(body, maxBytes))
	return data
}
