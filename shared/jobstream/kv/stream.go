package kv

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"mirrorfleet/shared/signing"
)

// Open opens a sealed value for reading. It first verifies the value by unpacking it piece
// by piece, without holding it in memory. It then returns a reader of the content, which the
// caller closes. Stored has no Data. ErrNotFound if there is none.
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadCloser, Stored, error) {
	entry, err := b.Get(ctx, key)
	if err != nil {
		return nil, Stored{}, err
	}
	packed, err := b.whole(ctx, key, entry.Value())
	if err != nil {
		return nil, Stored{}, err
	}
	reader, s, err := b.streamed(key, packed)
	s.Revision, s.At = entry.Revision(), entry.Created()
	return reader, s, err
}

func (b *Bucket) streamed(key string, packed []byte) (io.ReadCloser, Stored, error) {
	reader, signature, err := unpacking(packed)
	if err != nil {
		return nil, Stored{}, &ValueError{Bucket: b.Name, Key: key, Err: err}
	}
	digest := sha256.New()
	_, err = io.Copy(digest, reader)
	_ = reader.Close() // it has no error to tell
	if err != nil {
		return nil, Stored{}, &ValueError{Bucket: b.Name, Key: key, Err: err}
	}
	s := Stored{SHA256: hex.EncodeToString(digest.Sum(nil)), Signature: signature}
	if err := b.Signing.Verify(key, s.SHA256, signature); err != nil {
		return nil, s, b.unverified(key, err)
	}
	again, _, err := unpacking(packed)
	if err != nil {
		return nil, s, &ValueError{Bucket: b.Name, Key: key, Err: err}
	}
	return again, s, nil
}

// unpacked is a content that is unpacked while it is read.
type unpacked struct {
	*bufio.Reader
	io.Closer
}

// bounded reads up to a number of bytes, and fails at the first byte beyond.
type bounded struct {
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 { // one byte beyond shows that there is more
		p = p[:b.left+1]
	}
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("it unpacks to more than %d bytes", MaxRoundValue)
	}
	return n, err //nolint:wrapcheck // a reader says what the one below says
}

// unpacking reads a packed value without its signature. It is bounded by MaxRoundValue,
// because the decompressor's own limit applies only to its window.
func unpacking(packed []byte) (io.ReadCloser, signing.Signature, error) {
	reader, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxRoundValue))
	if err != nil {
		return nil, signing.Signature{}, err //nolint:wrapcheck // the caller names the value
	}
	closing := reader.IOReadCloser()
	buffered := bufio.NewReaderSize(&bounded{closing, MaxRoundValue}, max(signing.Head, 4096))
	head, err := buffered.Peek(signing.Head)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, signing.Signature{}, errors.Join(err, closing.Close())
	}
	signature, content, err := signing.Open(head)
	if err == nil {
		_, err = buffered.Discard(len(head) - len(content))
	}
	if err != nil {
		return nil, signature, errors.Join(err, closing.Close())
	}
	return unpacked{buffered, closing}, signature, nil
}
