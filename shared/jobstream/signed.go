package jobstream

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/signing"
)

// ErrSignature says that a value of the rounds is not what a producer has signed, or
// not what the value after it says that it was. Such a value counts as damaged.
var ErrSignature = errors.New("its signature or digest does not match")

// Stored is a value as a producer stored it.
type Stored struct {
	Data      []byte
	SHA256    string            // of Data
	Signature signing.Signature // zero for what is not signed
}

// signed is a value of the bucket of rounds as it is stored: with the signature
// before it if this process has a key. All that an outcome is made of and that
// producers write is signed, so that a change of it is seen before it counts.
func (l *link) signed(key string, data []byte) []byte {
	if !l.cfg.Keys.Signs() {
		return data
	}
	return l.cfg.Keys.Sign(key, signing.Digest(data)).Seal(data)
}

// opened takes a stored value apart and verifies it.
func (l *link) opened(key string, value []byte) (Stored, error) {
	signature, data, err := signing.Open(value)
	s := Stored{Data: data, Signature: signature, SHA256: signing.Digest(data)}
	if err == nil {
		err = l.cfg.Keys.Verify(key, s.SHA256, signature)
	}
	if err != nil {
		return Stored{SHA256: s.SHA256}, unverified(key, err)
	}
	return s, nil
}

// unverified is a value whose signature or digest does not match.
func unverified(key string, err error) error {
	return &ValueError{Bucket: job.BucketRounds, Key: key, Err: fmt.Errorf("%w: %w", ErrSignature, err)}
}

// loadRound reads and verifies a key of the bucket of rounds, and decodes it into
// value unless that is nil.
func (l *link) loadRound(ctx context.Context, key string, value any) (Stored, error) {
	data, err := l.load(ctx, l.rounds(), key, nil)
	if err != nil {
		return Stored{}, err
	}
	s, err := l.opened(key, data)
	if err != nil || value == nil {
		return s, err
	}
	if err := json.Unmarshal(s.Data, value); err != nil {
		return s, &ValueError{Bucket: job.BucketRounds, Key: key, Err: err}
	}
	return s, nil
}

// LoadSigned is Outcome with its digest and its signature.
func (o Outcomes) LoadSigned(ctx context.Context, round string, revision int) (Stored, error) {
	return o.loadRound(ctx, job.OutcomeKey(round, revision), nil)
}

// Digest is the digest of a revision as it is stored, whether it can be
// verified or not; "" for one that is gone or cannot be unpacked.
func (o Outcomes) Digest(ctx context.Context, round string, revision int) (string, error) {
	s, err := o.loadRound(ctx, job.OutcomeKey(round, revision), nil)
	if errors.Is(err, ErrNotFound) || Damaged(err) {
		err = nil
	}
	return s.SHA256, err
}

// NotTheFormer says that a revision is not the one which the next revision was made
// after. It counts as damaged.
func NotTheFormer(round string, revision int, has, want string) error {
	return unverified(job.OutcomeKey(round, revision),
		fmt.Errorf("revision %d names %s as the digest of the one before it, and it has %s", revision+1, want, has))
}

// streamed verifies a packed value as it is unpacked, without holding what that
// unpacks to, and leaves a reader of its content.
func (l *link) streamed(key string, packed []byte) (io.ReadCloser, Stored, error) {
	reader, signature, err := unpacking(packed)
	if err != nil {
		return nil, Stored{}, &ValueError{Bucket: job.BucketRounds, Key: key, Err: err}
	}
	digest := sha256.New()
	_, err = io.Copy(digest, reader)
	_ = reader.Close() // it has no error to tell
	if err != nil {
		return nil, Stored{}, &ValueError{Bucket: job.BucketRounds, Key: key, Err: err}
	}
	s := Stored{SHA256: hex.EncodeToString(digest.Sum(nil)), Signature: signature}
	if err := l.cfg.Keys.Verify(key, s.SHA256, signature); err != nil {
		return nil, s, unverified(key, err)
	}
	again, _, err := unpacking(packed)
	if err != nil {
		return nil, s, &ValueError{Bucket: job.BucketRounds, Key: key, Err: err}
	}
	return again, s, nil
}

// unpacked is a content on its way out of its packing.
type unpacked struct {
	*bufio.Reader
	io.Closer
}

// bounded reads at most so many bytes of what a value of the rounds unpacks to: more is
// an error, before it is read.
type bounded struct {
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 { // one more tells that there is more
		p = p[:b.left+1]
	}
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("it unpacks to more than %d bytes", maxRoundValue)
	}
	return n, err //nolint:wrapcheck // a reader says what the one below says
}

// unpacking reads a packed value, with the signature taken off, up to maxRoundValue:
// the limit of the decompressor is of its window alone.
func unpacking(packed []byte) (io.ReadCloser, signing.Signature, error) {
	reader, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRoundValue))
	if err != nil {
		return nil, signing.Signature{}, err //nolint:wrapcheck // the caller names the value
	}
	closing := reader.IOReadCloser()
	buffered := bufio.NewReaderSize(&bounded{closing, maxRoundValue}, max(signing.Head, 4096))
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
