package round

import (
	"encoding/json"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
)

// Result is a concluded round: the rules' outcome, with what the fleet has to
// say of how it came about.
type Result struct {
	Version  int       `json:"version"`
	Round    string    `json:"round"`
	Revision int       `json:"revision"`
	AsOf     time.Time `json:"as_of"`
	// Due is the manifest's: zero for a round that was run by hand.
	Due    time.Time `json:"due,omitzero"`
	Mirror string    `json:"mirror"`
	// Complete says that nothing is missing: no dead letter, no degraded
	// evaluation, no maintainers look-up that failed.
	Complete bool `json:"complete"`
	// Unloadable are the languages that gave no nodes, as in the validator.
	Unloadable []string `json:"unloadable_languages"`
	// Planned, Done and Failed count jobs; Requests counts what they asked of
	// the mirror, Retries the failed attempts that another one followed.
	Planned  int `json:"planned"`
	Done     int `json:"done"`
	Failed   int `json:"failed"`
	Requests int `json:"requests"`
	// Cached counts the pull requests whose files nobody had to ask for.
	Cached  int `json:"cached,omitempty"`
	Retries int `json:"retries"`
	// Overdue counts the failed ones that the round did not wait for.
	Overdue int `json:"overdue,omitempty"`
	// Notes are the manifest's: what was not as it should be from the start.
	Notes []string `json:"notes,omitempty"`

	// Replayed are the uids that were run again for this revision.
	Replayed []int `json:"replayed,omitempty"`
	// Mended is what had to be put right on the way, after whatever crash.
	Mended []Mended `json:"mended,omitempty"`

	DeadLetters   []job.DeadLetter `json:"dead_letters"`
	Degraded      []Degraded       `json:"degraded"`
	Malformed     []Malformed      `json:"malformed"`
	FailedLookUps []job.Missing    `json:"failed_look_ups"`

	// Outcome is a pure function of the evaluations, the maintainers and the
	// manifest: the same bytes whoever concludes, whenever, and from whichever
	// replay the evaluations are.
	Outcome scoring.Outcome `json:"outcome"`
}

// Degraded is one miner whose evaluation lacks answers.
type Degraded struct {
	UID     int           `json:"uid"`
	Missing []job.Missing `json:"missing"`
}

// Malformed is one miner whose answers had items that could not be read; each
// cost only itself.
type Malformed struct {
	UID   int             `json:"uid"`
	Items []job.Malformed `json:"items"`
}

func (r Result) encode() ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding the outcome: %w", err)
	}
	return data, nil
}

// Decode reads a stored outcome.
func Decode(data []byte) (Result, error) {
	var r Result
	if err := json.Unmarshal(data, &r); err != nil {
		return Result{}, fmt.Errorf("decoding an outcome: %w", err)
	}
	if r.Version > job.Version {
		return Result{}, fmt.Errorf("outcome of version %d, this build reads up to %d", r.Version, job.Version)
	}
	return r, nil
}
