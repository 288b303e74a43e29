package tokenscore

import (
	"encoding/binary"
	"fmt"
	"io"
)

// A frame is one byte of type, four of length (big endian), and the payload.
const frameHeader = 5

// maxFrame bounds a payload, in bytes. It is far above the largest text (1,000,000 bytes)
// and the largest weights, and too small to exhaust memory.
const maxFrame = 32 << 20

// The types of frames. Upper case goes to the child, lower case comes back.
const (
	frameWeights  byte = 'W' // weights that hold from here on
	frameBegin    byte = 'B' // a pull request begins, in this trace; answered by ready
	frameLanguage byte = 'L' // a file's language; base and head follow as texts
	frameText     byte = 'T'
	frameHello    byte = 'h' // once, when the child can work
	frameReady    byte = 'r'
	frameFigures  byte = 'f' // the tree diff of a file, and with a trace when it was made
	frameFailed   byte = 'e' // the request cannot be served; says why
)

// FrameError is a frame that violates the protocol.
type FrameError struct {
	Type   byte
	Length uint32
	Reason string
}

func (e *FrameError) Error() string {
	return fmt.Sprintf("frame of type %q and length %d: %s", e.Type, e.Length, e.Reason)
}

// writeFrame writes one frame. The payload is written separately from the header, so a text
// is never copied before the pipe.
func writeFrame[T string | []byte](w io.Writer, kind byte, payload T) error {
	if len(payload) > maxFrame {
		return &FrameError{Type: kind, Length: uint32(len(payload)), Reason: fmt.Sprintf("want at most %d bytes", maxFrame)}
	}
	var header [frameHeader]byte
	header[0] = kind
	binary.BigEndian.PutUint32(header[1:], uint32(len(payload)))
	if _, err := w.Write(header[:]); err != nil {
		return fmt.Errorf("writing a frame: %w", err)
	}
	var err error
	switch p := any(payload).(type) {
	case string:
		_, err = io.WriteString(w, p)
	case []byte:
		_, err = w.Write(p)
	}
	if err != nil {
		return fmt.Errorf("writing a frame's payload: %w", err)
	}
	return nil
}

// readFrame reads one frame into new memory. The error is io.EOF if the stream ended before
// the frame, and wraps io.ErrUnexpectedEOF if it ended within it.
func readFrame(r io.Reader) (kind byte, payload []byte, err error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, nil, err //nolint:wrapcheck // io.EOF is the stream's orderly end and compared as such
	}
	length := binary.BigEndian.Uint32(header[1:])
	if length > maxFrame {
		return 0, nil, &FrameError{Type: header[0], Length: length, Reason: fmt.Sprintf("want at most %d bytes", maxFrame)}
	}
	payload = make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, fmt.Errorf("reading a frame's payload of %d bytes: %w", length, noEOF(err))
	}
	return header[0], payload, nil
}

// noEOF turns an io.EOF within a frame into io.ErrUnexpectedEOF.
func noEOF(err error) error {
	if err == io.EOF { //nolint:errorlint // io.ReadFull returns it bare
		return io.ErrUnexpectedEOF
	}
	return err
}

// expectFrame reads a frame, and refuses any type but this one.
func expectFrame(r io.Reader, want byte) ([]byte, error) {
	kind, payload, err := readFrame(r)
	if err != nil {
		return nil, noEOF(err)
	}
	if kind == frameFailed {
		return nil, &FailedError{Reason: string(payload)}
	}
	if kind != want {
		return nil, &FrameError{Type: kind, Length: uint32(len(payload)), Reason: fmt.Sprintf("want type %q", want)}
	}
	return payload, nil
}

// FailedError is a child's report that it cannot do its work. The text is not the cause:
// another child would report the same.
type FailedError struct{ Reason string }

func (e *FailedError) Error() string { return "the token-scoring child failed: " + e.Reason }
