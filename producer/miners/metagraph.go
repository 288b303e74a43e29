package miners

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"mirrorfleet/shared/plural"
)

// Metagraph is an export of the metagraph.
type Metagraph struct {
	// At is when it was exported, as it says itself; zero if it does not.
	At      time.Time
	Hotkeys map[int]string
}

// ParseMetagraph reads an export:
//
//	{"0": "5F…", "1": "5G…"}                                              uid → hotkey
//	{"exported_at": "2026-06-18T18:54:00Z", "hotkeys": {"0": "5F…", …}}   and when it was exported
//
// A uid without hotkey ("" or null) is a miner without one. Anything else is
// ErrUnusable, and so is an export without a single uid: a subnet has some.
func ParseMetagraph(data []byte) (Metagraph, error) {
	m := Metagraph{Hotkeys: map[int]string{}}
	if !json.Valid(data) {
		return m, fmt.Errorf("%w: %s that are no JSON: half-written?", ErrUnusable, plural.Of(len(data), "byte"))
	}
	var whole struct {
		At      json.RawMessage `json:"exported_at"`
		Hotkeys json.RawMessage `json:"hotkeys"`
	}
	if json.Unmarshal(data, &whole) == nil && len(whole.Hotkeys) > 0 {
		data = whole.Hotkeys
		if len(whole.At) > 0 && json.Unmarshal(whole.At, &m.At) != nil {
			return m, fmt.Errorf("%w: exported_at: want an instant such as 2026-06-18T18:54:00Z", ErrUnusable)
		}
	}
	if err := m.read(data); err != nil {
		return m, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	if len(m.Hotkeys) == 0 {
		return m, fmt.Errorf("%w: not a single uid", ErrUnusable)
	}
	return m, nil
}

// read reads uid → hotkey from JSON that is valid. A map would hide a uid that
// is there twice.
func (m *Metagraph) read(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return errors.New(`want an object uid → hotkey such as {"0": "5F…"}, alone or under hotkeys beside exported_at`)
	}
	for decoder.More() {
		key, err := decoder.Token()
		var hotkey json.RawMessage
		if err == nil {
			err = decoder.Decode(&hotkey)
		}
		if err != nil {
			return errors.New("malformed")
		}
		if err := m.add(key.(string), hotkey); err != nil { //nolint:forcetypeassert // keys of an object are texts
			return err
		}
	}
	return nil
}

func (m *Metagraph) add(key string, hotkey json.RawMessage) error {
	uid, err := strconv.ParseUint(key, 10, 16)
	if err != nil {
		return fmt.Errorf("key %.40q: uid: want a whole number from 0 to 65535", key)
	}
	name := ""
	if !text(hotkey, &name) {
		return fmt.Errorf("uid %d: hotkey: want a text", uid)
	}
	if _, twice := m.Hotkeys[int(uid)]; twice {
		return fmt.Errorf("uid %d is there twice", uid)
	}
	m.Hotkeys[int(uid)] = name
	return nil
}

// TooOld says whether an export is older than it may be; written stands in for
// the instant that an export does not tell. One from the future is of a clock
// that is ahead, and counts as new.
func (m *Metagraph) TooOld(written, now time.Time, maxAge time.Duration) error {
	at := m.At
	if at.IsZero() {
		at = written
	}
	if now.Sub(at) > maxAge {
		return fmt.Errorf("%w: exported at %s, want at most %s ago", ErrUnusable, at.UTC().Format(time.RFC3339), maxAge)
	}
	return nil
}
