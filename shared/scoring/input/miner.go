package input

import "time"

// RecycleUID takes what nobody earns; it is never evaluated.
const RecycleUID = 0

// TreasuryUID is the issue treasury, which has a fixed part of the rewards.
const TreasuryUID = 111

// NoGitHubID stands for the GitHub id of whoever has none.
const NoGitHubID = "0"

// Miner is one miner as the round's list has it.
type Miner struct {
	UID      int    `json:"uid"`
	Hotkey   string `json:"hotkey"`
	GitHubID string `json:"github_id"`
	// Token says how the miner's stored access token stands; it is never the
	// token itself.
	Token TokenState `json:"token,omitempty"`
	// IdentityUnreachable says that GitHub did not answer the identity
	// look-up: the recorded GitHub id is used, and nothing is loaded.
	IdentityUnreachable bool `json:"identity_unreachable,omitempty"`
	// IdentityKeptAt says that GitHub did not answer the identity look-up
	// either, but had answered at this instant: that GitHub id is used, and
	// everything is loaded. Zero when GitHub answered.
	IdentityKeptAt time.Time `json:"identity_kept_at,omitzero"`
}

// IdentityUnknown says whether GitHub left the miner's identity look-up
// unanswered, so that an older GitHub id, or none, stands in for the answer.
func (m Miner) IdentityUnknown() bool { return m.IdentityUnreachable || !m.IdentityKeptAt.IsZero() }

// TokenState is how a miner's stored access token stands.
type TokenState string

// The states of a token; an absent one means valid.
const (
	TokenValid   TokenState = "valid"
	TokenNone    TokenState = "none"    // none is stored
	TokenStale   TokenState = "stale"   // stored for another hotkey
	TokenRefused TokenState = "refused" // GitHub refuses it
)

// Failure is why a miner does not take part in a round; "" when it does, which
// is null in JSON.
type Failure string

// The failures.
const (
	NoFailure           Failure = ""
	RecycleMiner        Failure = "recycle uid"
	NoHotkey            Failure = "no hotkey"
	HotkeyChanged       Failure = "hotkey changed"
	NoStoredToken       Failure = "no stored token"
	TokenNotAccepted    Failure = "token refused"
	IdentityUnreachable Failure = "identity unreachable" // and no GitHub id is recorded
	SharedAccount       Failure = "shared account"
)

// MarshalJSON writes the failure's code, or null for none.
func (f Failure) MarshalJSON() ([]byte, error) {
	if f == NoFailure {
		return []byte("null"), nil
	}
	// The codes are plain ASCII without quotes.
	return []byte(`"` + string(f) + `"`), nil
}

// FailureOf is the failure that the miner's own entry tells, in the order in
// which the validator looks: before anything is loaded. SharedAccount needs
// the other miners, and is Conclude's to find.
func FailureOf(m Miner) Failure {
	switch {
	case m.UID == RecycleUID:
		return RecycleMiner
	case m.Hotkey == "":
		return NoHotkey
	case m.Token == TokenStale:
		return HotkeyChanged
	case m.Token == TokenNone:
		return NoStoredToken
	case m.Token == TokenRefused && !m.IdentityUnreachable:
		return TokenNotAccepted
	case m.IdentityUnreachable && (m.GitHubID == "" || m.GitHubID == NoGitHubID):
		return IdentityUnreachable
	}
	return NoFailure
}
