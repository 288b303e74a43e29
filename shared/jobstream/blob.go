package jobstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
)

// What a stored value may unpack to, against a damaged or hostile one. Producers write
// the largest, an outcome: some 2 kB for each pull request, so 400 MB for 10,000 miners
// of 20. Workers write what is of one miner: 64 MB is enough for 3,000 pull requests.
// What is larger is refused when it is stored, not when it is needed.
const (
	maxRoundValue = 1 << 30
	maxMinerValue = 64 << 20
)

// headroom is what a message carries besides the value: subject and headers.
const headroom = 8 << 10

// MinPayload is the least that the server must take as one message. Longer values are
// split.
const MinPayload = 64 << 10

// split is what is stored under the key itself when a value is longer than
// one message may be: the value is then in parts of their own, named by its
// digest, so that two writers never mix theirs.
type split struct {
	Parts  int    `json:"parts"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// key names the nth part, from 1.
func (s split) key(key string, n int) string {
	return fmt.Sprintf("%s.part.%.16s.%d", key, s.SHA256, n)
}

// few is the size up to which a value gains next to nothing by entropy coding,
// which would take most of the time.
const few = 512

// The compressors and the decompressors are safe for concurrent EncodeAll,
// DecodeAll; their options are constant, so making them cannot fail.
//
//nolint:gochecknoglobals // stateless, and dear to make
var (
	compressor, _  = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	quick, _       = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithNoEntropyCompression(true))
	roundValues, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRoundValue))
	minerValues, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxMinerValue))
)

// bound is what a value of a bucket may unpack to, with the decompressor that stops
// there, before it takes more memory.
func bound(kv jetstream.KeyValue) (int, *zstd.Decoder) {
	if kv.Bucket() == job.BucketRounds {
		return maxRoundValue, roundValues
	}
	return maxMinerValue, minerValues
}

// pack returns what is to be stored under key, after storing the parts if it
// takes more than one message. Parts without their key do no harm.
func (l *link) pack(ctx context.Context, kv jetstream.KeyValue, key string, data []byte) ([]byte, error) {
	if most, _ := bound(kv); len(data) > most {
		return nil, &ValueError{Bucket: kv.Bucket(), Key: key, Err: fmt.Errorf("%d bytes, want at most %d", len(data), most)}
	}
	if err := checkPayload(l.nc); err != nil { // the server may be another since the start
		return nil, err
	}
	packed := compressed(data)
	limit := int(l.nc.MaxPayload()) - headroom
	if len(packed) <= limit {
		return packed, nil
	}
	digest := sha256.Sum256(packed)
	head := split{Parts: (len(packed) + limit - 1) / limit, Bytes: len(packed), SHA256: hex.EncodeToString(digest[:])}
	for n := range head.Parts {
		part := packed[n*limit : min((n+1)*limit, len(packed))]
		if err := l.put(ctx, kv, head.key(key, n+1), part); err != nil {
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
func (l *link) unpack(ctx context.Context, kv jetstream.KeyValue, key string, stored []byte) ([]byte, error) {
	packed, err := l.whole(ctx, kv, key, stored)
	if err != nil {
		return nil, err
	}
	_, decompressor := bound(kv)
	data, err := decompressor.DecodeAll(packed, nil)
	if err != nil {
		return nil, &ValueError{Bucket: kv.Bucket(), Key: key, Err: err}
	}
	return data, nil
}

// whole is a value as it was packed, its parts put together if there are any.
func (l *link) whole(ctx context.Context, kv jetstream.KeyValue, key string, stored []byte) ([]byte, error) {
	if !bytes.HasPrefix(stored, []byte("{")) { // a zstd frame starts otherwise
		return stored, nil
	}
	var head split
	if err := json.Unmarshal(stored, &head); err != nil {
		return nil, &ValueError{Bucket: kv.Bucket(), Key: key, Err: err}
	}
	return l.join(ctx, kv, key, head)
}

// join puts the parts together. The head is as little to be trusted as any
// stored value: it bounds nothing by its own word.
func (l *link) join(ctx context.Context, kv jetstream.KeyValue, key string, head split) ([]byte, error) {
	damaged := func(format string, args ...any) error {
		return &ValueError{Bucket: kv.Bucket(), Key: key, Err: fmt.Errorf(format, args...)}
	}
	if most, _ := bound(kv); head.Parts < 1 || head.Bytes < 1 || head.Bytes > most || len(head.SHA256) != 2*sha256.Size {
		return nil, damaged("head of %d parts and %d bytes", head.Parts, head.Bytes)
	}
	var packed []byte
	for n := range head.Parts {
		entry, err := l.get(ctx, kv, head.key(key, n+1))
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

// load reads and unpacks a key, and decodes it into value unless that is nil.
func (l *link) load(ctx context.Context, kv jetstream.KeyValue, key string, value any) ([]byte, error) {
	entry, err := l.get(ctx, kv, key)
	if err != nil {
		return nil, err
	}
	data, err := l.unpack(ctx, kv, key, entry.Value())
	if err != nil || value == nil {
		return data, err
	}
	if err := json.Unmarshal(data, value); err != nil {
		return nil, &ValueError{Bucket: kv.Bucket(), Key: key, Err: err}
	}
	return data, nil
}
