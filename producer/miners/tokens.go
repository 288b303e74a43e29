package miners

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mirrorfleet/shared/plural"
)

// ErrUnusable says that a file cannot be a round's input as it is now. It may
// be in a moment: a file that is being written, an export that is on its way.
var ErrUnusable = errors.New("not usable")

// Stored is one entry of the validator's file of access tokens.
type Stored struct {
	UID    int
	Hotkey string
	Token  Secret
	// GitHubID is the account that the token was of when it was stored; "" for
	// none.
	GitHubID string
}

// ParseTokens reads the validator's file: a JSON list of {uid, hotkey, pat,
// github_id}, whatever else an entry holds. The file counts as a whole
// (ErrUnusable), but what an entry lacks costs that entry: notes say which, by
// place and field, never by value. Of two entries of one uid the last counts,
// as in the validator.
func ParseTokens(data []byte) (list []Stored, notes []string, err error) {
	var entries []json.RawMessage
	switch err := json.Unmarshal(data, &entries); {
	case err != nil:
		return nil, nil, fmt.Errorf("%w: %s that are no JSON list of {uid, hotkey, pat, github_id}: %w",
			ErrUnusable, plural.Of(len(data), "byte"), place(err))
	case entries == nil:
		return nil, nil, fmt.Errorf("%w: null, want a JSON list", ErrUnusable)
	}
	at := map[int]int{}
	for i, entry := range entries {
		stored, wrong := parseStored(entry)
		if wrong != "" {
			notes = append(notes, fmt.Sprintf("the token at index %d does not count: %s", i, wrong))
			continue
		}
		if before, twice := at[stored.UID]; twice {
			notes = append(notes, fmt.Sprintf("uid %d has several tokens, the last one counts", stored.UID))
			list[before] = stored
			continue
		}
		at[stored.UID] = len(list)
		list = append(list, stored)
	}
	if len(list) == 0 && len(entries) > 0 { // another file than it should be
		return nil, nil, fmt.Errorf("%w: %d entries and not one that can be read; %s", ErrUnusable, len(entries), notes[0])
	}
	return list, notes, nil
}

// place is a JSON error without what was read.
func place(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("it breaks off or is malformed at byte %d", syntax.Offset)
	}
	return errors.New("it is something else")
}

// parseStored reads an entry; wrong says what it lacks, "" for nothing.
func parseStored(data []byte) (s Stored, wrong string) {
	var entry struct {
		UID      json.RawMessage `json:"uid"`
		Hotkey   json.RawMessage `json:"hotkey"`
		Token    json.RawMessage `json:"pat"`
		GitHubID json.RawMessage `json:"github_id"`
	}
	if json.Unmarshal(data, &entry) != nil {
		return s, "want an object {uid, hotkey, pat, github_id}"
	}
	uid, err := strconv.ParseUint(string(entry.UID), 10, 16)
	if err != nil {
		return s, "uid: want a whole number from 0 to 65535"
	}
	var token string
	switch {
	case !text(entry.Hotkey, &s.Hotkey):
		return s, "hotkey: want a text"
	case !text(entry.Token, &token):
		return s, "pat: want a text"
	}
	s.UID = int(uid)
	s.Token = NewSecret(token)
	s.GitHubID = githubID(entry.GitHubID)
	return s, ""
}

// text reads a text; absent and null are "".
func text(data json.RawMessage, into *string) bool {
	return len(data) == 0 || json.Unmarshal(data, into) == nil
}

// githubID reads an id that may be a number or a text; what is neither, and 0,
// is none.
func githubID(data json.RawMessage) string {
	const longest = 20 // digits of the largest 64-bit number
	id := string(bytes.Trim(data, `"`))
	if id == "" || len(id) > longest || strings.Trim(id, "0123456789") != "" || strings.Trim(id, "0") == "" {
		return ""
	}
	return id
}
