package input

import "time"

// RecycleUID gets the part of the emission that nobody earns. It is never evaluated.
const RecycleUID = 0

// TreasuryUID is the issue treasury. It gets a fixed part of the rewards:
// docs/rules/scoring.md#rewards.
const TreasuryUID = 111

// NoGitHubID is the GitHub id of a miner that has none. Miners with it share no
// account: docs/rules/scoring.md#fallback-and-shared-accounts.
const NoGitHubID = "0"

// Miner is one miner of the list that a round is planned with.
type Miner struct {
	UID      int    `json:"uid"`
	Hotkey   string `json:"hotkey"`
	GitHubID string `json:"github_id"`
	// Token is the state of the miner's stored access token, never the token
	// itself. "" means TokenValid.
	Token TokenState `json:"token,omitempty"`
	// IdentityUnreachable says that GitHub did not answer the identity look-up. The
	// GitHub id recorded with the token is used, and no pull requests are loaded: the
	// miner takes the fallback.
	IdentityUnreachable bool `json:"identity_unreachable,omitempty"`
	// IdentityKeptAt says that GitHub did not answer this time but did at this
	// instant, for the same token. The id of that answer is used, and the miner is
	// evaluated as usual. Zero when GitHub answered, or with IdentityUnreachable.
	IdentityKeptAt time.Time `json:"identity_kept_at,omitzero"`
}

// IdentityUnknown says whether GitHub did not answer the miner's identity look-up.
// An older GitHub id, or none, then takes the place of the answer.
func (m Miner) IdentityUnknown() bool { return m.IdentityUnreachable || !m.IdentityKeptAt.IsZero() }

// TokenState is the state of a miner's stored access token.
type TokenState string

// The states of a token; an absent one means valid.
const (
	TokenValid   TokenState = "valid"
	TokenNone    TokenState = "none"    // none is stored
	TokenStale   TokenState = "stale"   // stored for another hotkey
	TokenRefused TokenState = "refused" // GitHub refuses it
)

// Failure is the reason why a miner does not take part in a round. "" means that it
// takes part, and is null in JSON.
type Failure string

// The failures: docs/rules/scoring.md#miners. The texts are published in outcomes.
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
	// The codes are ASCII without quotes or backslashes, so nothing is escaped.
	return []byte(`"` + string(f) + `"`), nil
}

// FailureOf is the failure that the miner's own entry shows: the first in the
// validator's order, before anything is loaded. A refused token does not count while
// the identity is unreachable: nobody has refused it then. SharedAccount depends on
// the other miners, so Conclude finds it.
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
