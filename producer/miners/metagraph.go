package miners

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Metagraph is an export of the metagraph.
type Metagraph struct {
	// At is when it was exported, as it says itself; zero if it does not.
	At      time.Time
	Hotkeys map[int]string
}

// ParseMetagraph reads an export in any of its obvious forms:
//
//	{"0": "5F…", "1": "5G…"}                          uid → hotkey
//	[{"uid": 0, "hotkey": "5F…"}, …]                  whatever else an entry holds
//	["5F…", "5G…"]                                    the hotkeys in the order of uids
//	{"exported_at": "2026-06-18T18:54:00Z", "hotkeys": any of the three}
//
// exported_at may be seconds since 1970 as well. A uid without hotkey ("" or
// null) is a miner without one. Anything else is ErrUnusable, and so is an
// export without a single uid: a subnet has some.
func ParseMetagraph(data []byte) (Metagraph, error) {
	m := Metagraph{Hotkeys: map[int]string{}}
	var whole struct {
		At      json.RawMessage `json:"exported_at"`
		Hotkeys json.RawMessage `json:"hotkeys"`
	}
	if !json.Valid(data) {
		return m, fmt.Errorf("%w: %d bytes that are no JSON: half-written?", ErrUnusable, len(data))
	}
	list := data
	if json.Unmarshal(data, &whole) == nil && len(whole.Hotkeys) > 0 {
		list = whole.Hotkeys
		if err := m.exportedAt(whole.At); err != nil {
			return m, fmt.Errorf("%w: %w", ErrUnusable, err)
		}
	}
	if err := m.read(list); err != nil {
		return m, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	if len(m.Hotkeys) == 0 {
		return m, fmt.Errorf("%w: not a single uid", ErrUnusable)
	}
	return m, nil
}

func (m *Metagraph) exportedAt(data json.RawMessage) error {
	var seconds float64
	switch {
	case len(data) == 0 || string(data) == "null":
		return nil
	case json.Unmarshal(data, &m.At) == nil:
		m.At = m.At.UTC()
		return nil
	case json.Unmarshal(data, &seconds) == nil && seconds > 0 && seconds < 1<<33:
		m.At = time.UnixMilli(int64(seconds * 1000)).UTC()
		return nil
	}
	return errors.New("exported_at: want an instant such as 2026-06-18T18:54:00Z, or seconds since 1970")
}

// read reads one of the three forms.
func (m *Metagraph) read(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	first, err := decoder.Token()
	if err != nil {
		return errors.New("empty")
	}
	switch first {
	case json.Delim('{'):
		return m.readObject(decoder)
	case json.Delim('['):
		return m.readList(decoder)
	}
	return errors.New("want an object uid → hotkey, or a list of {uid, hotkey}")
}

func (m *Metagraph) readObject(decoder *json.Decoder) error {
	for decoder.More() {
		key, err := decoder.Token()
		name, _ := key.(string)
		if err != nil {
			return errors.New("malformed")
		}
		var hotkey json.RawMessage
		if err := decoder.Decode(&hotkey); err != nil {
			return errors.New("malformed")
		}
		if name == "exported_at" {
			if err := m.exportedAt(hotkey); err != nil {
				return err
			}
			continue
		}
		if err := m.add(json.RawMessage(name), hotkey, fmt.Sprintf("key %.40q", name)); err != nil {
			return err
		}
	}
	return nil
}

func (m *Metagraph) readList(decoder *json.Decoder) error {
	for i := 0; decoder.More(); i++ {
		var item json.RawMessage
		if err := decoder.Decode(&item); err != nil {
			return errors.New("malformed")
		}
		entry := struct {
			UID    json.RawMessage `json:"uid"`
			Hotkey json.RawMessage `json:"hotkey"`
		}{json.RawMessage(strconv.Itoa(i)), item}
		if len(item) > 0 && item[0] == '{' {
			entry.UID, entry.Hotkey = nil, nil
			if err := json.Unmarshal(item, &entry); err != nil {
				return fmt.Errorf("index %d: malformed", i)
			}
		}
		if err := m.add(entry.UID, entry.Hotkey, fmt.Sprintf("index %d", i)); err != nil {
			return err
		}
	}
	return nil
}

func (m *Metagraph) add(number, hotkey json.RawMessage, where string) error {
	uid, err := strconv.ParseUint(string(number), 10, 16)
	if err != nil {
		return fmt.Errorf("%s: uid: want a whole number from 0 to 65535", where)
	}
	key := ""
	if !text(hotkey, &key) {
		return fmt.Errorf("%s: hotkey: want a text", where)
	}
	if _, twice := m.Hotkeys[int(uid)]; twice {
		return fmt.Errorf("%s: uid %d is there twice", where, uid)
	}
	m.Hotkeys[int(uid)] = key
	return nil
}

// TooOld says whether an export is older than it may be; written stands in for
// the instant that an export does not tell. One from the future is of a clock
// that is ahead, and counts as new.
func (m *Metagraph) TooOld(written, now time.Time, most time.Duration) error {
	at := m.At
	if at.IsZero() {
		at = written
	}
	if now.Sub(at) > most {
		return fmt.Errorf("%w: exported at %s, want at most %s ago", ErrUnusable, at.UTC().Format(time.RFC3339), most)
	}
	return nil
}
