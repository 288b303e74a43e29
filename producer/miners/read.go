package miners

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring/input"
)

// Source is where the miners of each round come from.
type Source struct {
	// Tokens and Metagraph are the paths of the two files.
	Tokens, Metagraph string
	// MaxAge is how old the metagraph's export may be.
	MaxAge time.Duration
	// GitHub looks up the accounts of the tokens.
	GitHub *GitHub
	// Bus stores the account of each token, by a digest of the token.
	Bus *jobstream.Bus
	// Log is required.
	Log *slog.Logger
}

// Fleet is who takes part in a round.
type Fleet struct {
	Miners []input.Miner
	// Notes say what was not as it should be, for the round's record.
	Notes []string
}

// Read reads both files and makes the round's miners of them. Files that cannot
// be used are ErrUnusable; whatever else it returns is of the streams, or ctx's
// end.
func (s *Source) Read(ctx context.Context, now time.Time) (Fleet, error) {
	metagraph, stored, notes, err := s.files(now)
	if err != nil {
		return Fleet{}, err
	}
	identities, err := s.identities(ctx, LookUps(metagraph, stored), now)
	if err != nil {
		return Fleet{}, err
	}
	fleet := Fleet{Miners: Decide(metagraph, stored, identities), Notes: notes}
	fleet.Notes = append(fleet.Notes, unanswered(fleet.Miners, now)...)
	return fleet, nil
}

// Foresee is Read for a round that does not begin yet. It keeps nothing, and asks GitHub
// only about tokens of which nothing is kept: one that was revoked since is found out by
// the round.
func (s *Source) Foresee(ctx context.Context, now time.Time) ([]input.Miner, error) {
	metagraph, stored, _, err := s.files(now)
	if err != nil {
		return nil, err
	}
	kept, err := s.Bus.Miners.Identities(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the identities: %w", err)
	}
	var unknown []LookUp
	identities := map[int]Identity{}
	for _, ask := range LookUps(metagraph, stored) {
		if identities[ask.UID] = recall(ask, kept[ask.UID], now); identities[ask.UID].State != Known {
			unknown = append(unknown, ask)
		}
	}
	if len(unknown) > 0 {
		found, err := s.GitHub.Ask(ctx, unknown)
		if err != nil {
			return nil, err
		}
		maps.Copy(identities, found)
	}
	return Decide(metagraph, stored, identities), nil
}

func (s *Source) files(now time.Time) (m Metagraph, stored []Stored, notes []string, err error) {
	data, written, err := ReadFile(s.Metagraph)
	if err == nil {
		m, err = ParseMetagraph(data)
	}
	if err == nil {
		err = m.TooOld(written, now, s.MaxAge)
	}
	if err != nil {
		return m, nil, nil, &InputError{InputMetagraph, s.Metagraph, err}
	}
	stored, notes, err = s.tokens()
	return m, stored, notes, err
}

func (s *Source) tokens() (stored []Stored, notes []string, err error) {
	data, _, err := ReadFile(s.Tokens)
	if err == nil {
		err = keptFromOthers(s.Tokens)
	}
	if err == nil {
		stored, notes, err = ParseTokens(data)
	}
	if err != nil {
		return nil, nil, &InputError{InputTokens, s.Tokens, err}
	}
	return stored, notes, nil
}

// Identify asks GitHub once more about miners of a round that it left without
// an identity, with the tokens as they are stored now. It returns the entries of
// those that GitHub answers for. A miner that no longer has a token of its hotkey
// stays as it is.
func (s *Source) Identify(ctx context.Context, list []input.Miner) ([]input.Miner, error) {
	stored, _, err := s.tokens()
	if err != nil {
		return nil, err
	}
	metagraph := Metagraph{Hotkeys: make(map[int]string, len(list))}
	for _, m := range list {
		metagraph.Hotkeys[m.UID] = m.Hotkey
	}
	asks := LookUps(metagraph, stored)
	identities, err := s.identities(ctx, asks, time.Now())
	if err != nil {
		return nil, err
	}
	answered := slices.DeleteFunc(Decide(metagraph, stored, identities), func(m input.Miner) bool {
		_, asked := identities[m.UID]
		return !asked || m.IdentityUnknown()
	})
	return answered, nil
}

// identities asks GitHub about every token: one that was good a moment ago may
// be revoked, and its account may be another miner's by now. What GitHub said
// before serves only those that it does not answer for now.
func (s *Source) identities(ctx context.Context, asks []LookUp, now time.Time) (map[int]Identity, error) {
	found, err := s.GitHub.Ask(ctx, asks)
	if err != nil {
		return nil, err
	}
	kept, err := s.Bus.Miners.Identities(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the identities: %w", err)
	}
	counts := map[IdentityState]int{}
	for _, ask := range asks {
		counts[found[ask.UID].State]++
		switch found[ask.UID].State {
		case Known:
			err = s.remember(ctx, ask, found[ask.UID], now)
		case Refused:
			err = s.forget(ctx, kept[ask.UID])
		case Unreachable:
			found[ask.UID] = recall(ask, kept[ask.UID], now)
		}
		if err != nil {
			return nil, err
		}
	}
	s.Log.InfoContext(ctx, "looked up the GitHub accounts of the tokens", "tokens", len(asks), "known", counts[Known],
		"refused", counts[Refused], "unanswered", counts[Unreachable])
	return found, nil
}

// forget replaces the kept answer of a miner whose token GitHub refuses by an empty
// one, so that it is not used the next time GitHub does not answer.
func (s *Source) forget(ctx context.Context, kept job.Identity) error {
	if kept.GitHubID == "" {
		return nil // nothing is kept
	}
	if err := s.Bus.Miners.PutIdentity(ctx, job.Identity{UID: kept.UID, At: kept.At}); err != nil {
		return fmt.Errorf("dropping an identity: %w", err)
	}
	return nil
}

func (s *Source) remember(ctx context.Context, ask LookUp, identity Identity, now time.Time) error {
	salt, err := newSalt()
	if err != nil {
		return err
	}
	kept, ok := keep(ask, identity, salt, now)
	if !ok {
		return nil
	}
	if err := s.Bus.Miners.PutIdentity(ctx, kept); err != nil {
		return fmt.Errorf("keeping an identity: %w", err)
	}
	return nil
}
