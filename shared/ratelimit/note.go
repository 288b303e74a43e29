package ratelimit

import (
	"encoding/json"

	"mirrorfleet/shared/bounded"
)

// Note is what an operator says with a hold.
type Note struct {
	// By is who holds the egress, such as user@host.
	By string `json:"by,omitempty"`
	// Why is the reason; "" for none.
	Why string `json:"why,omitempty"`
}

// encode returns the note as the bucket keeps it.
func (n Note) encode() string {
	data, _ := json.Marshal(n.bounded()) //nolint:errchkjson // it has two texts, which are valid
	return string(data)
}

// parseNote reads a note. Anybody with access to Redis may have written it, so it is cut to
// its bounds. A text that is not a note counts as the reason of one.
func parseNote(text string) (n Note) {
	if text == "" {
		return Note{}
	}
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		n = Note{Why: text}
	}
	return n.bounded()
}

func (n Note) bounded() Note {
	return Note{bounded.Line(n.By, bounded.MaxOrderText), bounded.Line(n.Why, bounded.MaxOrderText)}
}
