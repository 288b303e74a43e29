package session

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"mirrorfleet/producer/miners"
	"mirrorfleet/producer/round"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/scoring/tokens"
)

// InputFiles are the paths of a round's inputs; "" for a file that is not given.
type InputFiles struct {
	Miners, Registry string
	// Weights is the directory with both weights files; "" for the product's own.
	Weights string
	// AsOf is the round's instant in RFC 3339; "" for the moment of planning.
	AsOf string
	// Unloadable are the languages that the validator cannot load; nil if none are said.
	Unloadable []string
}

// Read reads the files. It does not check their content: round.Plan reports what is
// wrong in all of them at once.
func (f InputFiles) Read(mirror string, now time.Time) (round.Inputs, error) {
	in := round.Inputs{Mirror: mirror, AsOf: now, Unloadable: f.Unloadable}
	languages, tokens := tokens.DefaultWeights()
	in.Languages = round.File{Name: "the product's language weights", Data: languages}
	in.Tokens = round.File{Name: "the product's token weights", Data: tokens}
	for _, file := range []struct {
		flag, path string
		into       *round.File
	}{
		{"miners", f.Miners, &in.Miners},
		{"registry", f.Registry, &in.Registry},
		{"weights", f.Weight("programming_languages.json"), &in.Languages},
		{"weights", f.Weight("token_weights.json"), &in.Tokens},
	} {
		if file.path == "" {
			continue
		}
		data, _, err := miners.ReadFile(file.path)
		if err != nil {
			return round.Inputs{}, command.Usage("--%s: %w", file.flag, err)
		}
		*file.into = round.File{Name: file.path, Data: data}
	}
	if f.AsOf != "" {
		asOf, err := time.Parse(time.RFC3339Nano, f.AsOf)
		if err != nil {
			return round.Inputs{}, command.Usage("--as-of %q: want an instant such as 2026-06-18T18:54:00Z", f.AsOf)
		}
		in.AsOf = asOf
	}
	return in, nil
}

// Weight returns the path of one of the weights files; "" for the product's own.
func (f InputFiles) Weight(name string) string {
	if f.Weights == "" {
		return ""
	}
	return filepath.Join(f.Weights, name)
}

// Plan reads and checks the files, and plans a round of them under a new name.
func (f InputFiles) Plan(mirror string, now time.Time) (job.Manifest, error) {
	in, err := f.Read(mirror, now)
	if err != nil {
		return job.Manifest{}, err
	}
	return newRound(in, now)
}

// PlanOf plans a round of a list of miners, with the other files as they are now. Each
// round of a schedule reads them anew, so that they can be replaced while it runs.
func (f InputFiles) PlanOf(list any, mirror string, now time.Time) (job.Manifest, error) {
	in, err := f.Read(mirror, now)
	if err != nil {
		return job.Manifest{}, err
	}
	data, err := json.Marshal(list)
	if err != nil {
		return job.Manifest{}, fmt.Errorf("encoding the miners: %w", err)
	}
	in.Miners = round.File{Name: "the miners", Data: data}
	return newRound(in, now)
}

// prepare opens the servers and returns the round's manifest: a new one, or that of the
// round to resume. Inputs that are given as files are checked before anything is
// started. A simulated world has its own inputs, so its round is planned last.
func (s *Session) prepare(ctx context.Context) (m job.Manifest, err error) {
	planned := s.cfg.Resume == "" && s.cfg.World == ""
	if planned {
		if m, err = s.cfg.Files.Plan(s.cfg.Mirror, time.Now()); err != nil {
			return m, err
		}
	}
	if err := s.openState(); err != nil {
		return m, err
	}
	if err := s.connect(ctx); err != nil {
		return m, err
	}
	if s.cfg.Resume != "" {
		if m, err = s.toResume(ctx); err != nil {
			return m, err
		}
		s.planned, s.stored = m.Round, true
	}
	if s.cfg.World == "" {
		return m, nil
	}
	return s.simulate(ctx, m)
}

// toResume reads the manifest of the round to resume. A manifest that is missing while
// records or outcomes of the round exist is a lost round (round.ErrLost), and not a
// misspelt name.
func (s *Session) toResume(ctx context.Context) (job.Manifest, error) {
	name := s.cfg.Resume
	if name == view.Latest {
		var err error
		if name, err = view.LastPlanned(ctx, s.fleet.Bus); view.NotThere(err) {
			return job.Manifest{}, command.Usage("--resume latest: %w", err)
		}
		if err != nil {
			return job.Manifest{}, fmt.Errorf("--resume latest: %w", err)
		}
	}
	m, err := s.fleet.Bus.Rounds.Manifest(ctx, name)
	switch {
	case jobstream.Damaged(err) || errors.Is(err, jobstream.ErrNotFound) && s.leftOf(ctx, name):
		return m, fmt.Errorf("round %s: %w: %w", name, round.ErrLost, err)
	case errors.Is(err, jobstream.ErrNotFound):
		rounds, listErr := s.fleet.Bus.Rounds.List(ctx)
		if listErr != nil {
			return m, fmt.Errorf("listing the rounds: %w", listErr)
		}
		return m, command.Usage("there is no round %q; %s", name, view.Listed(rounds))
	case err != nil:
		return m, fmt.Errorf("round %s: %w", name, err)
	}
	if err := s.sameMirror(m); err != nil {
		return m, err
	}
	return m, s.sameSettings(m)
}

// leftOf reports whether anything is stored of a round, be it without a manifest.
func (s *Session) leftOf(ctx context.Context, name string) bool {
	_, err := s.fleet.Bus.Inventory(ctx, name)
	return err == nil
}

// sameSettings refuses to resume a round with other settings than it was planned with.
// Settings that are not given are not compared. The result would be no error, only a
// round that silently ignores what its operator asked for.
func (s *Session) sameSettings(m job.Manifest) error {
	files := s.cfg.Files
	if !s.cfg.UnloadableGiven {
		files.Unloadable = nil
	}
	in, err := files.Read("", time.Time{})
	if err != nil {
		return err
	}
	given := round.Given{AsOf: in.AsOf, Unloadable: in.Unloadable}
	if files.Registry != "" {
		given.Registry = &in.Registry
	}
	if files.Miners != "" {
		given.Miners = &in.Miners
	}
	if files.Weights != "" {
		given.Languages, given.Tokens = &in.Languages, &in.Tokens
	}
	return refuse(m, given)
}

// sameMirror refuses to resume a round on another mirror than it was planned for. A
// simulated mirror is known by its loopback address.
func (s *Session) sameMirror(m job.Manifest) error {
	u, err := url.Parse(m.Mirror)
	if err != nil {
		return fmt.Errorf("the mirror of round %s: %w", m.Round, err)
	}
	simulated := net.ParseIP(u.Hostname()).IsLoopback()
	switch {
	case s.cfg.World != "" && !simulated:
		return command.Usage("--resume %s: the round was planned for %s, not for a simulated mirror: give --mirror %s",
			m.Round, m.Mirror, m.Mirror)
	case s.cfg.MirrorGiven && s.cfg.Mirror != m.Mirror:
		return command.Usage("--resume %s: the round was planned for %s, --mirror is %s", m.Round, m.Mirror, s.cfg.Mirror)
	}
	return nil
}

// newRound plans a round of these inputs under a new name. Inputs that are refused are
// wrong usage.
func newRound(in round.Inputs, now time.Time) (job.Manifest, error) {
	id, err := newID(now)
	if err != nil {
		return job.Manifest{}, err
	}
	m, err := round.Plan(id, in, now)
	if errors.Is(err, round.ErrInput) {
		return m, command.UsageError{Err: err}
	}
	return m, err
}

// refuse returns a usage error if given settings differ from those of the manifest.
func refuse(m job.Manifest, given round.Given) error {
	if differ := round.Differences(m, given); len(differ) > 0 {
		return command.Usage("round %s was planned with other settings, which cannot be changed: %s", m.Round, strings.Join(differ, "; "))
	}
	return nil
}

// newID names a round after now, with random digits that tell apart rounds of the same
// second.
func newID(now time.Time) (string, error) {
	var random [3]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("naming the round: %w", err)
	}
	return round.NewID(now, random), nil
}
