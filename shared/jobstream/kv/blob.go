package kv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// The largest sizes to which a stored value may unpack, in bytes. They protect against a
// damaged or hostile value. The largest value of a producer is an outcome: some 2 kB for
// each pull request, so 400 MB for 10,000 miners with 20 each. A worker's values are of one
// miner: 64 MB is enough for 3,000 pull requests. A larger value is refused when it is
// stored, not when it is needed.
const (
	MaxRoundValue = 1 << 30
	MaxMinerValue = 64 << 20
)

// headroom is what a message needs besides the value: its subject and its headers.
const headroom = 8 << 10

// MinPayload is the shortest limit of a message (max_payload) that the server may have. A
// value that is longer than the limit is split.
const MinPayload = 64 << 10

// split is the head of a value that is longer than one message may be; it is stored under
// the value's key. The parts have keys of their own, which contain the value's digest. So
// the parts of two writers never mix.
type split struct {
	Parts  int    `json:"parts"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// key names the nth part, from 1.
func (s split) key(key string, n int) string {
	return fmt.Sprintf("%s.part.%.16s.%d", key, s.SHA256, n)
}

// few is the size below which entropy coding saves next to nothing and would take most of
// the time.
const few = 512

// The compressors and the decompressors are safe for concurrent use of EncodeAll and
// DecodeAll. Their options are constant, so creating them cannot fail.
//
//nolint:gochecknoglobals // stateless, and dear to make
var (
	compressor, _  = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	quick, _       = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithNoEntropyCompression(true))
	roundValues, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxRoundValue))
	minerValues, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxMinerValue))
)

// decompressor is a decoder that stops at the size to which a value of the bucket may
// unpack, before it takes more memory.
func (b *Bucket) decompressor() *zstd.Decoder {
	if b.MaxBytes == MaxRoundValue {
		return roundValues
	}
	return minerValues
}

// pack returns the bytes to store under key. If the value needs more than one message, pack
// stores the parts first. Parts without a head do no harm.
func (b *Bucket) pack(ctx context.Context, key string, data []byte) ([]byte, error) {
	if len(data) > b.MaxBytes {
		return nil, &ValueError{Bucket: b.Name, Key: key, Err: fmt.Errorf("%d bytes, want at most %d", len(data), b.MaxBytes)}
	}
	if err := CheckPayload(b.NC); err != nil { // the server may be another since the start
		return nil, err
	}
	packed := compressed(data)
	limit := int(b.NC.MaxPayload()) - headroom
	if len(packed) <= limit {
		return packed, nil
	}
	digest := sha256.Sum256(packed)
	head := split{Parts: (len(packed) + limit - 1) / limit, Bytes: len(packed), SHA256: hex.EncodeToString(digest[:])}
	for n := range head.Parts {
		part := packed[n*limit : min((n+1)*limit, len(packed))]
		if err := b.put(ctx, head.key(key, n+1), part); err != nil {
			return nil, err
		}
	}
	data, err := json.Marshal(head)
	if err != nil {
		return nil, fmt.Errorf("encoding the head of %s: %w", key, err)
	}
	return data, nil
}

// compressed is the data as one zstd frame.
func compressed(data []byte) []byte {
	if len(data) <= few {
		return quick.EncodeAll(data, nil)
	}
	return compressor.EncodeAll(data, nil)
}

// unpack is the inverse of pack.
func (b *Bucket) unpack(ctx context.Context, key string, stored []byte) ([]byte, error) {
	packed, err := b.whole(ctx, key, stored)
	if err != nil {
		return nil, err
	}
	data, err := b.decompressor().DecodeAll(packed, nil)
	if err != nil {
		return nil, &ValueError{Bucket: b.Name, Key: key, Err: err}
	}
	return data, nil
}

// whole returns a value as it was packed, joined from its parts if it was split.
func (b *Bucket) whole(ctx context.Context, key string, stored []byte) ([]byte, error) {
	if !bytes.HasPrefix(stored, []byte("{")) { // a zstd frame starts otherwise
		return stored, nil
	}
	var head split
	if err := json.Unmarshal(stored, &head); err != nil {
		return nil, &ValueError{Bucket: b.Name, Key: key, Err: err}
	}
	return b.join(ctx, key, head)
}

// join joins the parts. The head may be damaged or hostile like any stored value, so its own
// figures bound nothing.
func (b *Bucket) join(ctx context.Context, key string, head split) ([]byte, error) {
	damaged := func(format string, args ...any) error {
		return &ValueError{Bucket: b.Name, Key: key, Err: fmt.Errorf(format, args...)}
	}
	if head.Parts < 1 || head.Bytes < 1 || head.Bytes > b.MaxBytes || len(head.SHA256) != 2*sha256.Size {
		return nil, damaged("head of %d parts and %d bytes", head.Parts, head.Bytes)
	}
	var packed []byte
	for n := range head.Parts {
		entry, err := b.Get(ctx, head.key(key, n+1))
		if errors.Is(err, ErrNotFound) {
			return nil, damaged("part %d of %d is missing", n+1, head.Parts)
		}
		if err != nil {
			return nil, err
		}
		if packed = append(packed, entry.Value()...); len(packed) > head.Bytes {
			return nil, damaged("part %d of %d exceeds the %d bytes of all", n+1, head.Parts, head.Bytes)
		}
	}
	if digest := sha256.Sum256(packed); hex.EncodeToString(digest[:]) != head.SHA256 {
		return nil, damaged("the parts do not have the digest of the whole")
	}
	return packed, nil
}
