package outcome

import (
	"encoding/json"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// Result is a concluded round: the rules' outcome, and how the fleet came to it.
type Result struct {
	Version  int       `json:"version"`
	Round    string    `json:"round"`
	Revision int       `json:"revision"`
	AsOf     time.Time `json:"as_of"`
	// Due is the manifest's: zero for a round that was run by hand.
	Due    time.Time `json:"due,omitzero"`
	Mirror string    `json:"mirror"`
	// Complete says that nothing is missing and nothing stands in: no dead letter except
	// those of Kept miners, no degraded evaluation, no unknown identity, no stand-in, no
	// failed look-up of maintainers, and no damage.
	Complete bool `json:"complete"`
	// Unloadable are the languages that gave no nodes, as in the validator.
	Unloadable []string `json:"unloadable_languages"`
	// Rules is the version of the rules that concluded the round, PlannedRules the one that
	// it was planned under. They differ after an upgrade in the middle of a round, and
	// after a replay with `--rules current`. 0 is a version from before they were noted.
	Rules        int `json:"rules,omitempty"`
	PlannedRules int `json:"planned_rules,omitempty"`
	// Planned, Done and Failed count jobs. Done includes the degraded ones.
	Planned int `json:"planned"`
	Done    int `json:"done"`
	Failed  int `json:"failed"`
	// Requests counts the requests to the mirror: those of every attempt that reported
	// them, and LookUps, the producer's own requests for maintainers and for the one answer
	// on all issues. Unreported counts the attempts that died before they reported theirs:
	// if there are any, more requests were sent. Retries counts the failed attempts that
	// another attempt followed.
	Requests   int `json:"requests"`
	LookUps    int `json:"look_up_requests,omitempty"`
	Unreported int `json:"unreported_attempts,omitempty"`
	// Cached counts the pull requests whose scores came from the score cache.
	Cached int `json:"cached,omitempty"`
	// Unsettled counts the pull requests that were scored from an answer which the
	// mirror may still change: the next round asks for them again.
	Unsettled int `json:"unsettled,omitempty"`
	Retries   int `json:"retries"`
	// AllIssues is what came of the one answer on all issues; nil when the round did
	// not ask for it.
	AllIssues *AllIssues `json:"all_issues,omitempty"`
	// Overdue counts the failed jobs that the round did not wait for.
	Overdue int `json:"overdue,omitempty"`
	// Cancelled counts the failed jobs that an operator has ended. CancelOrders are the
	// orders that were given in this run of the round.
	Cancelled    int               `json:"cancelled,omitempty"`
	CancelOrders []job.CancelOrder `json:"cancel_orders,omitempty"`
	// Kept are the miners whose last job failed, but whose earlier evaluation still counts
	// and lacks nothing: their rescore failed or was cancelled.
	Kept []int `json:"kept,omitempty"`
	// Notes are the manifest's notes on what was wrong from the start. Those on unknown
	// identities are left out once replays have found all of these identities.
	Notes []string `json:"notes,omitempty"`

	// Replayed are the uids that were run again for this revision.
	Replayed []int `json:"replayed,omitempty"`
	// Mended lists what had to be repaired on the way, such as after a crash.
	Mended []Mended `json:"mended,omitempty"`
	// Damaged lists what was gone or unreadable and could not be repaired.
	Damaged []Lost `json:"damaged,omitempty"`
	// Evaluations are those that the outcome was made of, by uid.
	Evaluations []Part `json:"evaluations,omitempty"`
	// Manifest, Plan and Former are the SHA-256 of the outcome's other parts as they were
	// stored: the round's manifest, the replay's plan, and the previous revision. So nobody
	// can change these unseen.
	Manifest string `json:"manifest_sha256,omitempty"`
	Plan     string `json:"replay_sha256,omitempty"`
	Former   string `json:"former_sha256,omitempty"`

	DeadLetters       []job.DeadLetter  `json:"dead_letters"`
	Degraded          []Degraded        `json:"degraded"`
	UnknownIdentities []UnknownIdentity `json:"unknown_identities"`
	StandIns          []StandIn         `json:"stand_ins"`
	FailedLookUps     []job.Missing     `json:"failed_look_ups"`
	// Malformed items are skipped, as in the validator: they leave a round
	// complete.
	Malformed []Malformed `json:"malformed"`

	// Outcome is a pure function of the evaluations, the maintainers, the manifest and the
	// identities that replays have found: the same bytes from every producer, at any time,
	// whichever replay made the evaluations.
	Outcome scoring.Outcome `json:"outcome"`

	// SignedBy is the key that has signed the outcome as it was read; "" for none, and
	// for an outcome that was not read.
	SignedBy string `json:"-"`
}

// RulesVersion is the version of the rules that the round was concluded under.
func (r Result) RulesVersion() int { return max(r.Rules, scoring.FirstRules) }

// Lost is one thing that damage has cost a round.
type Lost struct {
	What  string `json:"what"`
	Error string `json:"error"`
}

// Part is one evaluation that an outcome was made of.
type Part struct {
	UID int    `json:"uid"`
	Key string `json:"key"`
	// SHA256 is that of the stored value, unpacked. A later reader compares the value under
	// the key with it.
	SHA256 string `json:"sha256"`
}

// Degraded is one miner whose evaluation lacks answers.
type Degraded struct {
	UID     int           `json:"uid"`
	Missing []job.Missing `json:"missing"`
}

// UnknownIdentity is a miner whose identity look-up GitHub left unanswered.
type UnknownIdentity struct {
	UID int `json:"uid"`
	// GitHubID is the account that stands in: one that GitHub named at KeptAt, or
	// else the one recorded with the token; "" for none.
	GitHubID string    `json:"github_id"`
	KeptAt   time.Time `json:"kept_at,omitzero"`
	// Age is how long before the round's instant GitHub named it, in seconds; 0
	// for an account that was recorded with the token.
	Age float64 `json:"age_seconds,omitempty"`
}

// String says what stands in.
func (u UnknownIdentity) String() string {
	const unanswered = "GitHub did not name the account of its token; "
	switch {
	case u.GitHubID == "":
		return unanswered + "none is recorded"
	case u.KeptAt.IsZero():
		return unanswered + "the account recorded with the token stands in, and nothing was loaded for it"
	}
	return fmt.Sprintf("%sthe account that it named %s before stands in", unanswered, age(u.Age))
}

func unknownIdentity(m *input.Miner, asOf time.Time) UnknownIdentity {
	unknown := UnknownIdentity{UID: m.UID, GitHubID: m.GitHubID, KeptAt: m.IdentityKeptAt}
	if !m.IdentityKeptAt.IsZero() {
		unknown.Age = asOf.Sub(m.IdentityKeptAt).Seconds()
	}
	return unknown
}

// StandIn is a miner whose stored pull requests stand in for those that could not be
// loaded.
type StandIn struct {
	UID int `json:"uid"`
	// AsOf is the instant of the round that loaded them, and Age how long that was before
	// this round's instant, in seconds. Both are absent if the instant is not known.
	AsOf time.Time `json:"as_of,omitzero"`
	Age  float64   `json:"age_seconds,omitzero"`
}

// String says what stands in.
func (s StandIn) String() string {
	if s.AsOf.IsZero() {
		return "its pull requests of unknown age stand in for those that could not be had"
	}
	return fmt.Sprintf("its pull requests of %s, %s old, stand in for those that could not be had",
		s.AsOf.UTC().Format(time.RFC3339), age(s.Age))
}

// age is a length of time in hours and minutes.
func age(seconds float64) string {
	d := (time.Duration(seconds) * time.Second).Round(time.Minute)
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// AddStandIns lists what stands in for identities and pull requests.
func AddStandIns(r *Result, list []input.Miner) {
	for i := range list {
		if list[i].IdentityUnknown() {
			r.UnknownIdentities = append(r.UnknownIdentities, unknownIdentity(&list[i], r.AsOf))
		}
	}
	for i := range r.Outcome.Miners {
		if m := &r.Outcome.Miners[i]; m.FromStored {
			r.StandIns = append(r.StandIns, standIn(m, r.AsOf))
		}
	}
}

func standIn(m *scoring.MinerOutcome, asOf time.Time) StandIn {
	s := StandIn{UID: m.UID, AsOf: m.StoredAsOf}
	if !s.AsOf.IsZero() {
		s.Age = asOf.Sub(s.AsOf).Seconds()
	}
	return s
}

// NothingStandsIn says whether nothing is missing and nothing stands in.
func (r Result) NothingStandsIn() bool {
	return r.Failed-len(r.Kept)+len(r.Degraded)+len(r.UnknownIdentities)+len(r.StandIns)+len(r.FailedLookUps)+len(r.Damaged) == 0
}

// Malformed is one miner whose answers had items that could not be read; each
// cost only itself.
type Malformed struct {
	UID   int             `json:"uid"`
	Items []job.Malformed `json:"items"`
}

// Encode is the outcome as it is stored.
func (r Result) Encode() ([]byte, error) {
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
	if err := job.Readable(r.Version); err != nil {
		return Result{}, fmt.Errorf("outcome of %w", err)
	}
	return r, nil
}
