package miners

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring"
)

// Source is where the miners of each round come from.
type Source struct {
	// Tokens and Metagraph are the paths of the two files.
	Tokens, Metagraph string
	// MaxAge is how old the metagraph may be.
	MaxAge time.Duration
	GitHub *GitHub
	// Bus keeps whose account each token is.
	Bus *jobstream.Bus
	Log *slog.Logger
}

// Fleet is who takes part in a round.
type Fleet struct {
	Miners []scoring.Miner
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
	if note := unreachable(fleet.Miners); note != "" {
		fleet.Notes = append(fleet.Notes, note)
	}
	return fleet, nil
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
	data, _, err = ReadFile(s.Tokens)
	if err == nil {
		stored, notes, err = ParseTokens(data)
	}
	if err != nil {
		return m, nil, nil, &InputError{InputTokens, s.Tokens, err}
	}
	return m, stored, notes, nil
}

// identities asks GitHub about the tokens whose account is not known, or was
// asked for too long ago.
func (s *Source) identities(ctx context.Context, asks []LookUp, now time.Time) (map[int]Identity, error) {
	kept, err := s.Bus.Identities(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the identities: %w", err)
	}
	known := map[int]Identity{}
	var unknown []LookUp
	for _, ask := range asks {
		if identity, ok := recall(ask, kept[ask.UID], now); ok {
			known[ask.UID] = identity
		} else {
			unknown = append(unknown, ask)
		}
	}
	found, err := s.GitHub.Ask(ctx, unknown)
	if err != nil {
		return nil, err
	}
	for _, ask := range unknown {
		known[ask.UID] = found[ask.UID]
		if err := s.remember(ctx, ask, found[ask.UID], now); err != nil {
			return nil, err
		}
	}
	s.Log.InfoContext(ctx, "whose accounts the tokens are", "tokens", len(asks), "kept", len(asks)-len(unknown), "asked", len(unknown))
	return known, nil
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
	if err := s.Bus.PutIdentity(ctx, kept); err != nil {
		return fmt.Errorf("keeping an identity: %w", err)
	}
	return nil
}
