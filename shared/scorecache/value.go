package scorecache

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring/tokens"
)

// Version is the form of values that this build writes and reads.
// Figures change with Key.Scorer, not with it. Version 1 kept half-written
// answers.
const Version = 2

// maxValue caps what a value may unpack to, against a damaged one. The largest
// answer that the mirror client takes has far fewer files than fill it.
const maxValue = 16 << 20

// Found is the value under a key: nothing, an entry, or a sighting.
type Found struct {
	Entry    *Entry
	Sighting *Sighting

	revision uint64 // of what was there, 0 for nothing
}

// Sighting is an answer that has not settled: the mirror may still be writing
// it.
type Sighting struct {
	// Digest is of the answer's bytes.
	Digest string `json:"digest"`
	// At is when this answer was first seen.
	At time.Time `json:"at"`
}

// Entry is what came of one files answer that has settled.
type Entry struct {
	// Tokens are nil when the answer had no files.
	Tokens *tokens.Figures
	// Malformed are the files that were skipped.
	Malformed []job.Malformed
}

// keepable says whether an entry follows from its content alone.
func (e *Entry) keepable() bool { return !e.Tokens.OutOfBudget() }

// value is the stored form of a key's value.
type value struct {
	Version   int             `json:"version"`
	Key       Key             `json:"key"`
	Tokens    *tokens.Figures `json:"tokens"`
	Malformed []job.Malformed `json:"malformed,omitempty"`
	// Sighting is there instead of the scores.
	Sighting *Sighting `json:"sighting,omitempty"`
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

// encode is the stored form of an entry or a sighting.
func encode(k Key, what Found) ([]byte, error) {
	v := value{Version: Version, Key: k.canonical(), Sighting: what.Sighting}
	if what.Entry != nil {
		v.Tokens, v.Malformed = what.Entry.Tokens, what.Entry.Malformed
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding the figures of %s#%d: %w", k.Repository, k.Number, err)
	}
	if len(data) > maxValue {
		return nil, fmt.Errorf("the figures of %s#%d: %w", k.Repository, k.Number, errTooLarge)
	}
	return compressor.EncodeAll(data, nil), nil
}

// decode reads the value of a key.
func decode(k Key, stored []byte) (Found, error) {
	data, err := decompressor.DecodeAll(stored, nil)
	if err != nil {
		return Found{}, fmt.Errorf("unpacking: %w", err)
	}
	var v value
	if err := json.Unmarshal(data, &v); err != nil {
		return Found{}, fmt.Errorf("decoding: %w", err)
	}
	switch {
	case v.Version != Version:
		return Found{}, fmt.Errorf("version %d, this build reads version %d", v.Version, Version)
	case v.Key != k.canonical():
		return Found{}, fmt.Errorf("it is of %s#%d at %s", v.Key.Repository, v.Key.Number, v.Key.Head)
	}
	if v.Sighting != nil {
		return Found{Sighting: v.Sighting}, nil
	}
	return Found{Entry: &Entry{v.Tokens, v.Malformed}}, nil
}
