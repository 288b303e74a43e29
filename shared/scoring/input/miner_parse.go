package input

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mirrorfleet/shared/scoring/strictjson"
)

// MinerError is one entry of a miners file that breaks a rule.
type MinerError struct {
	Index int    // position in the list, from 0
	UID   int    // -1 when the entry has no readable uid
	Field string // "" for the entry as a whole
	Value string // as the file has it; long values are not shown
	Want  string
}

// Error names the miner, the field, its value and what would be right.
func (e *MinerError) Error() string {
	text := fmt.Sprintf("miner at index %d", e.Index)
	if e.UID >= 0 {
		text += fmt.Sprintf(" (uid %d)", e.UID)
	}
	if e.Field != "" {
		text += ": " + e.Field
	}
	if e.Value != "" {
		text += ": " + e.Value
	}
	return text + ": want " + e.Want
}

// ParseMiners reads a miners file: a list of {uid, hotkey, github_id, token,
// identity_unreachable, identity_kept_at}, the last three optional. It refuses the
// whole file when anything breaks a rule, and returns every violation: each error
// about a miner is a *MinerError. Only a miner that fails anyway
// (docs/rules/scoring.md#miners) may lack a GitHub id.
func ParseMiners(data []byte) ([]Miner, error) {
	var entries []json.RawMessage
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("miners: want a list of objects whose keys are "+minerFields+": %w", err)
	}
	if entries == nil { // the file is null, which Unmarshal accepts
		return nil, fmt.Errorf("miners: %s: want a list", strictjson.Clip(data))
	}
	miners := make([]Miner, len(entries))
	var wrong []error
	first := map[int]int{} // uid → index
	for i, entry := range entries {
		p := minerParser{index: i, uid: -1}
		miners[i] = p.miner(entry)
		if before, taken := first[p.uid]; taken && p.uid >= 0 {
			p.refuse("uid", strconv.Itoa(p.uid), fmt.Sprintf("each uid once: index %d has it too", before))
		} else {
			first[p.uid] = i
		}
		wrong = append(wrong, p.wrong...)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return miners, nil
}

// minerFields are the fields of an entry, as errors name them.
const minerFields = "uid, hotkey, github_id, token, identity_unreachable and identity_kept_at"

// minerParser reads one entry and collects its errors.
type minerParser struct {
	index, uid int
	wrong      []error
}

func (p *minerParser) refuse(field, value, want string) {
	p.wrong = append(p.wrong, &MinerError{
		Index: p.index,
		UID:   p.uid,
		Field: field,
		Value: value,
		Want:  want,
	})
}

func (p *minerParser) miner(raw json.RawMessage) Miner {
	var m Miner
	if len(raw) > 0 && raw[0] != '{' {
		p.refuse("", strictjson.Discreet(raw), "a JSON object whose keys are "+minerFields)
		return m
	}
	fields, err := strictjson.Object(raw, minerFields)
	if err != nil {
		p.refuse("", "", err.Error())
		return m
	}
	seen := map[string]bool{}
	// The uid is read first: errors about the other fields name it.
	for _, f := range fields {
		if f.Key == "uid" {
			m.UID = p.number(f)
		}
		seen[f.Key] = true
	}
	if !seen["uid"] {
		p.refuse("uid", "missing", "a whole number of 0 or more")
	}
	if !seen["hotkey"] {
		p.refuse("hotkey", "missing", "a text; an empty one means that the miner has none")
	}
	wrong := len(p.wrong) // errors of fields already; a missing id is worth telling only without more
	for _, f := range fields {
		p.field(&m, f)
	}
	if m.GitHubID == "" && FailureOf(m) == NoFailure && len(p.wrong) == wrong {
		p.refuse("github_id", "missing", "the digits of a GitHub id")
	}
	return m
}

func (p *minerParser) field(m *Miner, f strictjson.Field) {
	switch f.Key {
	case "uid":
	case "hotkey":
		p.text(f, &m.Hotkey)
	case "github_id":
		m.GitHubID = p.githubID(f)
	case "token":
		var token string
		p.text(f, &token)
		switch m.Token = TokenState(token); m.Token {
		case "", TokenValid, TokenNone, TokenStale, TokenRefused:
		default:
			p.refuse(f.Key, strictjson.Discreet(f.Value), `"valid", "none", "stale" or "refused"`)
		}
	case "identity_unreachable":
		if err := json.Unmarshal(f.Value, &m.IdentityUnreachable); err != nil || strictjson.IsNull(f.Value) {
			p.refuse(f.Key, strictjson.Discreet(f.Value), "true or false")
		}
	case "identity_kept_at":
		if err := json.Unmarshal(f.Value, &m.IdentityKeptAt); err != nil || strictjson.IsNull(f.Value) {
			p.refuse(f.Key, strictjson.Discreet(f.Value), `an instant such as "2026-06-18T18:54:00Z"`)
		}
	default:
		p.refuse(f.Key, strictjson.Discreet(f.Value), "no such field; known are "+minerFields)
	}
}

// number reads a uid. 31 bits are more than a subnet's 16-bit uids need, and fit an
// int on every platform.
func (p *minerParser) number(f strictjson.Field) int {
	uid, err := strconv.ParseUint(string(f.Value), 10, 31)
	if err != nil {
		p.refuse(f.Key, strictjson.Discreet(f.Value), "a whole number of 0 or more")
		return 0
	}
	p.uid = int(uid)
	return p.uid
}

func (p *minerParser) text(f strictjson.Field, into *string) {
	if err := json.Unmarshal(f.Value, into); err != nil || strictjson.IsNull(f.Value) {
		p.refuse(f.Key, strictjson.Discreet(f.Value), "a text")
	}
}

// githubID reads an id. Files have it as a number or as a text; null and "" mean
// none. It is kept as text, so no digit of a long one is lost.
func (p *minerParser) githubID(f strictjson.Field) string {
	id := string(f.Value)
	if strictjson.IsNull(f.Value) {
		return ""
	}
	if strings.HasPrefix(id, `"`) {
		p.text(f, &id)
	}
	const longest = 20 // digits of the largest 64-bit number
	if strings.Trim(id, "0123456789") != "" || len(id) > longest {
		p.refuse(f.Key, strictjson.Discreet(f.Value), "the digits of a GitHub id")
		return ""
	}
	return id
}
