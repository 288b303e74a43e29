package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nats-io/jsm.go/api"
	"github.com/nats-io/jsm.go/backup"

	"mirrorfleet/shared/job"
)

// contents is what a file turned out to hold when it was read to its end.
type contents struct {
	bytes    int64
	sha256   string
	state    api.StreamState // as the stream was when the snapshot began
	messages uint64
	// rounds are those that a message's subject names.
	rounds map[string]bool
	// manifests and outcomes are of the bucket of rounds: the rounds that have a
	// manifest, and the keys of outcomes.
	manifests map[string]bool
	outcomes  []string
}

// removed counts the messages that were there when the snapshot began, and gone
// when their turn came.
func (c *contents) removed() uint64 { return c.state.Msgs - min(c.messages, c.state.Msgs) }

// readArchive reads a stream's file to its end: it is whole, in order, and all of
// it is counted in the digest.
func readArchive(path string) (found contents, err error) {
	file, err := os.Open(path)
	if err != nil {
		return found, fmt.Errorf("opening: %w", err)
	}
	defer file.Close()
	digest := sha256.New()
	counted := &counter{r: io.TeeReader(file, digest)}
	found.rounds, found.manifests = map[string]bool{}, map[string]bool{}
	decoder := backup.NewDecoder(counted)
	for {
		item, err := decoder.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return found, fmt.Errorf("it is cut short or damaged: %w", err)
		}
		switch item := item.(type) {
		case *backup.State:
			found.state = item.State
		case *backup.Message:
			found.messages++
			deleted, err := isMark(item)
			if err != nil {
				return found, fmt.Errorf("it is cut short or damaged: %w", err)
			}
			found.note(item.Subject, deleted)
		}
	}
	if _, err := io.Copy(io.Discard, counted); err != nil { // whatever stands behind the end
		return found, fmt.Errorf("reading: %w", err)
	}
	found.bytes, found.sha256 = counted.n, hex.EncodeToString(digest.Sum(nil))
	return found, nil
}

// isMark says whether a message marks a key of a bucket as deleted.
func isMark(m *backup.Message) (bool, error) {
	if m.HdrSize == 0 || m.PayloadSize > 0 {
		return false, nil
	}
	header, err := io.ReadAll(io.LimitReader(m.Body, m.HdrSize))
	if err != nil {
		return false, fmt.Errorf("reading the headers of %s: %w", m.Subject, err)
	}
	return bytes.Contains(header, []byte("KV-Operation:")), nil
}

// note remembers which round a message is of. A manifest that somebody has deleted
// still is of a round of which the rest is kept: Forget leaves no mark.
func (c *contents) note(subject string, deleted bool) {
	rounds := prefixOf(job.BucketRounds)
	if key, is := strings.CutPrefix(subject, rounds); is {
		round, tail, of := strings.Cut(key, ".")
		switch {
		case !of || round == job.Schedule:
			return
		case key == job.ManifestKey(round):
			c.manifests[round] = true
		case !deleted && strings.HasPrefix(tail, "outcome.") && strings.Count(tail, ".") == 1: // and no part of one
			c.outcomes = append(c.outcomes, key)
		}
		c.rounds[round] = true
		return
	}
	for _, prefix := range []string{
		prefixOf(job.BucketRecords), prefixOf(job.BucketEvaluation), strings.TrimSuffix(job.SubjectJobs, ">"),
	} {
		if tail, is := strings.CutPrefix(subject, prefix); is {
			if round, _, of := strings.Cut(tail, "."); of && round != job.Schedule && job.ValidRound(round) {
				c.rounds[round] = true
			}
		}
	}
}

// prefixOf is what the subjects of a bucket's keys begin with.
func prefixOf(bucket string) string { return "$KV." + bucket + "." }

// counter counts the bytes that are read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err //nolint:wrapcheck // a reader says what the one below says
}
