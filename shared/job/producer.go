package job

import (
	"encoding/json"
	"fmt"
	"time"

	"mirrorfleet/shared/bounded"
)

// Producer is a sign of life of one producer process that serves rounds, or that has stood by
// for a round. Like those of workers, it is only for people to see: the stored Holder alone
// decides who leads. Its instants are by the producer's own clock, so a reader uses only their
// differences.
type Producer struct {
	Version int `json:"version"`
	// Name is the name of the process. Its Holders have this name with a suffix.
	Name string `json:"name"`
	// Build is the version of the program.
	Build string `json:"build"`
	Host  string `json:"host"`
	// Round is the only round that the process works on, or stands by for; "" for one that
	// serves the schedule.
	Round string `json:"round,omitempty"`
	// Started is when the process began to show itself, At when it made this sign.
	Started time.Time `json:"started"`
	At      time.Time `json:"at"`
	// PutOff is why it can begin no turn; nil while it can, and for one that does not lead.
	PutOff *PutOff `json:"put_off,omitempty"`
	// Left is the last word of a process that has ended; "" while it runs.
	Left string `json:"left,omitempty"`
}

// PutOff is what puts off the next turn of the schedule.
type PutOff struct {
	// Input is what cannot be used, in a word: "tokens", "metagraph", "rules", or "other" for
	// something that is no input.
	Input string    `json:"input"`
	Why   string    `json:"why"`
	Since time.Time `json:"since"`
}

// maxPutOff is how many characters the reason may have: it names a file with its path, what
// is wrong with it, and the remedy.
const maxPutOff = 1000

// Encode returns the wire form.
func (p Producer) Encode() ([]byte, error) {
	p = p.bounded()
	p.Version = Version
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encoding the sign of producer %s: %w", p.Name, err)
	}
	return data, nil
}

// DecodeProducer reads a Producer's wire form, and cuts its values to their bounds.
func DecodeProducer(data []byte) (Producer, error) {
	var p Producer
	if err := json.Unmarshal(data, &p); err != nil {
		return Producer{}, fmt.Errorf("reading a producer's sign: %w", err)
	}
	if err := Readable(p.Version); err != nil {
		return Producer{}, fmt.Errorf("producer's sign of %w", err)
	}
	return p.bounded(), nil
}

func (p Producer) bounded() Producer {
	p.Name, p.Build = bounded.Line(p.Name, maxWorkerName), bounded.Line(p.Build, maxWorkerName)
	p.Host = bounded.Line(p.Host, maxWorkerName)
	p.Left = bounded.Line(p.Left, maxWorkerText)
	if !ValidRound(p.Round) {
		p.Round = ""
	}
	if p.PutOff != nil {
		off := *p.PutOff
		off.Input, off.Why = bounded.Line(off.Input, maxWorkerName), bounded.Line(off.Why, maxPutOff)
		p.PutOff = &off
	}
	return p
}

// Silence is that of Worker.Silence.
func (p Producer) Silence(stored, now time.Time) (silence time.Duration, silent bool) {
	return silenceOf(p.Left, stored, now)
}

// Ago is how long before its last sign something was, by the producer's own clock.
func (p Producer) Ago(since time.Time) time.Duration { return ago(since, p.At) }
