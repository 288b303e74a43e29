package scoring

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
}

// TokenState is how a miner's stored access token stands.
type TokenState string

// The states of a token; an absent one means valid.
const (
	TokenValid   TokenState = "valid"
	TokenNone    TokenState = "none"    // none is stored
	TokenStale   TokenState = "stale"   // stored for another hotkey
	TokenRefused TokenState = "refused" // GitHub refuses it
)
