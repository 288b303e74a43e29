package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/secret"
)

// Replay is a replay whose round has been examined, and for which nothing is started
// yet.
type Replay struct {
	Round string
	// Before is the revision that the replay starts from. Its Revision is 0 if the
	// outcome is gone or cannot be read.
	Before outcome.Result
	// Already are the uids of miners that another replay is running now.
	Already []int
	// Nothing says that the round lacks nothing: Before stays the last revision.
	Nothing bool

	selection outcome.Selection
}

// ReadTokens lets a replay ask GitHub again about unknown identities, with the tokens of
// a file; "" for none. The file itself is read when GitHub is asked.
func (s *Session) ReadTokens(file, github string) error {
	if file == "" {
		return nil
	}
	if exposed, is := errors.AsType[*secret.ExposedError](secret.Check(file)); is { // other faults show when it is read
		return command.Usage("--tokens: %w", exposed)
	}
	client, err := miners.NewGitHub(miners.Config{BaseURL: github, Log: s.cfg.Log})
	if err != nil {
		return command.Usage("--github: %w", err)
	}
	s.onClose(func() error { client.Close(); return nil })
	s.source = &miners.Source{Tokens: file, GitHub: client, Log: s.cfg.Log}
	return nil
}

// LookIntoReplay connects to the servers and finds out what there is to replay of the
// round of Config.Resume. It comes before workers and a simulated mirror are started, so
// that a selection that is refused, or nothing to replay, starts none of them.
func (s *Session) LookIntoReplay(ctx context.Context, selection outcome.Selection) (Replay, error) {
	if err := s.openState(); err != nil {
		return Replay{}, err
	}
	if err := s.connect(ctx); err != nil {
		return Replay{}, err
	}
	at, err := view.Locate(ctx, s.fleet.Bus, s.cfg.Resume, 0)
	if err != nil {
		return Replay{}, err
	}
	s.cfg.Resume = at.Round
	if s.source != nil {
		s.source.Bus = s.fleet.Bus
	}
	return s.lookInto(ctx, Replay{Round: at.Round, selection: selection})
}

// lookInto completes a Replay. A replay is worth running even with no miner chosen: to
// end what an interrupted one has begun, to wait for another one, or to repeat look-ups of
// maintainers. Miners that are chosen only for their unknown identity need a token file.
func (s *Session) lookInto(ctx context.Context, r Replay) (Replay, error) {
	chosen, already, err := round.Chosen(ctx, s.fleet.Bus, r.Round, r.selection)
	if err != nil {
		return r, err
	}
	first, err := s.unfinished(ctx, &r)
	if err != nil {
		return r, err
	}
	r.Already = already
	if first || len(already)+len(r.Before.FailedLookUps) > 0 {
		return r, nil
	}
	if len(chosen) == 0 {
		r.Nothing = true
		return r, nil
	}
	other := func(f outcome.Failed) bool { return f.Class != outcome.ClassIdentity }
	if s.source == nil && !slices.ContainsFunc(chosen, other) {
		uids := make([]int, len(chosen))
		for i, f := range chosen {
			uids[i] = f.UID
		}
		return r, command.Usage("only the identity of %s is unknown: give --tokens FILE to ask GitHub again", view.Miners(uids))
	}
	return r, nil
}

// unfinished reads the outcome that a replay starts from. It reports whether something
// must be finished first: an outcome that is gone or unreadable, or an interrupted replay.
func (s *Session) unfinished(ctx context.Context, r *Replay) (bool, error) {
	latest, err := outcome.Latest(ctx, s.fleet.Bus, r.Round)
	if jobstream.Damaged(err) || err == nil && latest.Revision == 0 {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	r.Before = latest
	_, err = s.fleet.Bus.Rounds.Replay(ctx, r.Round, latest.Revision)
	if err != nil && !errors.Is(err, jobstream.ErrNotFound) {
		return false, fmt.Errorf("reading the replays of round %s: %w", r.Round, err)
	}
	return err == nil, nil
}

// Replay starts what the jobs need, workers and perhaps a simulated mirror, and runs the
// replay.
func (s *Session) Replay(ctx context.Context, r Replay) (result outcome.Result, did outcome.Replayed, err error) {
	m, err := s.toReplay(ctx)
	if err != nil {
		return result, did, err
	}
	s.planned = r.Round
	s.stored = true
	s.replays = true
	s.onClose(s.closeMirrors)
	result, err = s.serve(ctx, m, func(ctx context.Context, runner *round.Runner) (result outcome.Result, err error) {
		result, did, err = runner.Replay(ctx, r.Round, r.selection)
		return result, err
	})
	return result, did, usageOfEgress(err)
}

// toReplay reads the round's manifest, and starts the simulated mirror of a trial at the
// address that the manifest names.
func (s *Session) toReplay(ctx context.Context) (job.Manifest, error) {
	m, err := s.toResume(ctx)
	if err == nil && s.cfg.World != "" {
		m, err = s.simulate(ctx, m)
	}
	return m, err
}

// AsksGitHub reports whether a replay asks GitHub again, which takes a file of tokens
// (ReadTokens).
func (s *Session) AsksGitHub() bool { return s.source != nil }
