package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Version is the wire version that this build writes. A later version is refused: it may
// have a field whose meaning this build would ignore.
const Version = 1

// ErrUnreadable marks a message that is no job. It becomes a dead letter at once and is
// never retried.
var ErrUnreadable = errors.New("job: unreadable")

// Job asks for the evaluation of one miner. It carries the GitHub id, never
// an access token.
type Job struct {
	Version  int       `json:"version"`
	Round    string    `json:"round"`
	UID      int       `json:"uid"`
	Hotkey   string    `json:"hotkey"`
	GitHubID string    `json:"github_id"`
	AsOf     time.Time `json:"as_of"`
	// IssuesOnly asks for the issues alone: the miner's GitHub identity could not be
	// looked up, so its stored pull requests count (docs/rules/scoring.md#miners).
	IssuesOnly bool `json:"issues_only,omitempty"`
	// Replay is 0 for the round's own publication and n for its nth replay.
	Replay int `json:"replay,omitempty"`
}

// MessageID makes publishing idempotent: the stream drops a second message
// with the same one. A replay has another, or it would be swallowed.
func (j Job) MessageID() string {
	if j.Replay > 0 {
		return fmt.Sprintf("%s/%d/replay-%d", j.Round, j.UID, j.Replay)
	}
	return fmt.Sprintf("%s/%d", j.Round, j.UID)
}

// Encode returns the job's wire form.
func (j Job) Encode() ([]byte, error) {
	j.Version = Version
	data, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("encoding job %s: %w", j.MessageID(), err)
	}
	return data, nil
}

// Readable refuses a value that a later build has written: this build would drop fields that
// it does not know.
func Readable(version int) error {
	if version < 1 || version > Version {
		return fmt.Errorf("version %d, this build reads 1 to %d", version, Version)
	}
	return nil
}

// Decode reads a job's wire form; every error is ErrUnreadable. Unknown fields are
// ignored: a change that older builds must not ignore raises the version.
func Decode(data []byte) (Job, error) {
	var j Job
	if err := json.Unmarshal(data, &j); err != nil {
		return Job{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	readable := Readable(j.Version)
	switch {
	case readable != nil:
		return Job{}, fmt.Errorf("%w: %w", ErrUnreadable, readable)
	case !ValidRound(j.Round):
		return Job{}, fmt.Errorf("%w: round %q, want lower-case letters, digits and dashes", ErrUnreadable, j.Round)
	case j.UID < 0:
		return Job{}, fmt.Errorf("%w: uid %d, want 0 or more", ErrUnreadable, j.UID)
	case j.GitHubID == "":
		return Job{}, fmt.Errorf("%w: no github_id", ErrUnreadable)
	case j.Replay < 0:
		return Job{}, fmt.Errorf("%w: replay %d, want 0 or more", ErrUnreadable, j.Replay)
	case j.AsOf.IsZero():
		return Job{}, fmt.Errorf("%w: no as_of", ErrUnreadable)
	}
	return j, nil
}
