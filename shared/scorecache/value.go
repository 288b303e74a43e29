package scorecache

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
)

// Version is the form of values that this build writes and reads.
// Figures change with Key.Scorer, not with it.
const Version = 1

// maxValue caps what a value may unpack to, against a damaged one. The largest
// answer that the mirror client takes has far fewer files than fill it.
const maxValue = 16 << 20

// Entry is what came of one files answer that is complete and final.
type Entry struct {
	// Tokens are nil when the answer had no files.
	Tokens *scoring.TokenFigures
	// Malformed are the files that were skipped.
	Malformed []job.Malformed
}

// keepable says whether an entry follows from its content alone.
func (e *Entry) keepable() bool {
	if e.Tokens == nil {
		return true
	}
	for i := range e.Tokens.Files {
		if e.Tokens.Files[i].Method == scoring.MethodSkippedTimeout {
			return false
		}
	}
	return true
}

// value is a stored entry.
type value struct {
	Version   int                   `json:"version"`
	Key       Key                   `json:"key"`
	Tokens    *scoring.TokenFigures `json:"tokens"`
	Malformed []job.Malformed       `json:"malformed,omitempty"`
}

// Both are safe for concurrent EncodeAll and DecodeAll; their options are
// constant, so making them cannot fail.
//
//nolint:gochecknoglobals // stateless, and dear to make
var (
	compressor, _   = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	decompressor, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxValue))
)

// errTooLarge says that an entry is not worth its place, or has none.
var errTooLarge = errors.New("larger than a value may be")

// encode is an entry's stored form.
func encode(k Key, e Entry) ([]byte, error) {
	data, err := json.Marshal(value{Version, k.canonical(), e.Tokens, e.Malformed})
	if err != nil {
		return nil, fmt.Errorf("encoding the figures of %s#%d: %w", k.Repository, k.Number, err)
	}
	if len(data) > maxValue {
		return nil, fmt.Errorf("the figures of %s#%d: %w", k.Repository, k.Number, errTooLarge)
	}
	return compressor.EncodeAll(data, nil), nil
}

// decode reads a stored entry of the key.
func decode(k Key, stored []byte) (*Entry, error) {
	data, err := decompressor.DecodeAll(stored, nil)
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	var v value
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, fmt.Errorf("decoding: %w", err)
	}
	switch {
	case v.Version != Version:
		return nil, fmt.Errorf("version %d, this build reads version %d", v.Version, Version)
	case v.Key != k.canonical():
		return nil, fmt.Errorf("it is of %s#%d at %s", v.Key.Repository, v.Key.Number, v.Key.Head)
	}
	return &Entry{v.Tokens, v.Malformed}, nil
}
