package jobstream

import (
	"errors"
	"fmt"
	"strconv"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
	"mirrorfleet/shared/scoring"
)

// The values that are JSON under a key of their own, each declared once. What an outcome
// is made of is sealed.

func (l *link) manifest(round string) kv.Value[job.Manifest] {
	return kv.Value[job.Manifest]{
		Bucket:  l.rounds(),
		Key:     job.ManifestKey(round),
		Form:    kv.Sealed,
		Version: func(m *job.Manifest) *int { return &m.Version },
		Check: func(m job.Manifest) error {
			if m.Round != round {
				return fmt.Errorf("it is the manifest of %q", m.Round)
			}
			return nil
		},
	}
}

func (l *link) replay(round string, n int) kv.Value[job.Replay] {
	return kv.Value[job.Replay]{
		Bucket:  l.rounds(),
		Key:     job.ReplayKey(round, n),
		Form:    kv.Sealed,
		Version: func(r *job.Replay) *int { return &r.Version },
	}
}

func (l *link) cancel(round string, n int) kv.Value[job.Cancel] {
	return kv.Value[job.Cancel]{
		Bucket:  l.rounds(),
		Key:     job.CancelKey(round, n),
		Form:    kv.Sealed,
		Version: func(c *job.Cancel) *int { return &c.Version },
		Check: func(c job.Cancel) error {
			if c.Round != round || c.Replay != n {
				return fmt.Errorf("it cancels run %d of %q", c.Replay, c.Round)
			}
			return nil
		},
	}
}

func (l *link) maintainers(round string) kv.Value[Maintainers] {
	return kv.Value[Maintainers]{
		Bucket:  l.rounds(),
		Key:     job.MaintainersKey(round),
		Form:    kv.Sealed,
		Version: func(m *Maintainers) *int { return &m.Version },
	}
}

// snapshot is a bare map, which has no room for a version.
func (l *link) snapshot(round string) kv.Value[map[int]scoring.StoredEvaluation] {
	return kv.Value[map[int]scoring.StoredEvaluation]{Bucket: l.rounds(), Key: job.SnapshotKey(round), Form: kv.Sealed}
}

func (l *link) holder(round string) kv.Value[job.Holder] {
	return kv.Value[job.Holder]{
		Bucket: l.rounds(), Key: job.HolderKey(round),
		Version: func(h *job.Holder) *int { return &h.Version },
	}
}

func (l *link) turn() kv.Value[job.Turn] {
	return kv.Value[job.Turn]{
		Bucket:  l.rounds(),
		Key:     job.TurnKey,
		Version: func(t *job.Turn) *int { return &t.Version },
		Check: func(t job.Turn) error {
			if !job.ValidRound(t.Round) || t.Due.IsZero() {
				return fmt.Errorf("it is of round %q, due at %s", t.Round, t.Due)
			}
			return nil
		},
	}
}

// steer are the orders of operators.
func (l *link) steer() kv.Value[job.Steer] {
	return kv.Value[job.Steer]{
		Bucket:  l.rounds(),
		Key:     job.SteerKey,
		Version: func(s *job.Steer) *int { return &s.Version },
		Check: func(s job.Steer) error {
			if s.Round != nil && !job.ValidRound(s.Round.Round) {
				return fmt.Errorf("it pauses round %q", s.Round.Round)
			}
			return nil
		},
	}
}

func (l *link) nextTurn() kv.Value[job.NextTurn] {
	return kv.Value[job.NextTurn]{
		Bucket: l.rounds(), Key: job.NextKey,
		Version: func(n *job.NextTurn) *int { return &n.Version },
	}
}

func (l *link) lastConclusion() kv.Value[job.Last] {
	return kv.Value[job.Last]{
		Bucket: l.rounds(), Key: job.LastKey,
		Version: func(last *job.Last) *int { return &last.Version },
	}
}

func (l *link) warmUp() kv.Value[job.WarmUp] {
	return kv.Value[job.WarmUp]{
		Bucket:  l.rounds(),
		Key:     job.WarmUpKey,
		Version: func(w *job.WarmUp) *int { return &w.Version },
		Check: func(w job.WarmUp) error {
			if !job.ValidRound(w.ID) {
				return fmt.Errorf("it is of warm-up %q", w.ID)
			}
			return nil
		},
	}
}

// warmUpInputs are a warm-up's inputs: a manifest without miners. Workers derive from it
// what to fetch.
func (l *link) warmUpInputs(id string) kv.Value[job.Manifest] {
	return kv.Value[job.Manifest]{
		Bucket:  l.rounds(),
		Key:     job.WarmUpInputsKey,
		Form:    kv.Packed,
		Version: func(m *job.Manifest) *int { return &m.Version },
		Check: func(m job.Manifest) error {
			if m.Round != id {
				return fmt.Errorf("it is of warm-up %q, want %q", m.Round, id)
			}
			return nil
		},
	}
}

func egressesIn(rounds *kv.Bucket) kv.Value[job.Egresses] {
	return kv.Value[job.Egresses]{
		Bucket:  rounds,
		Key:     job.EgressesKey,
		Version: func(e *job.Egresses) *int { return &e.Version },
		Check: func(e job.Egresses) error {
			if len(e.Names) == 0 {
				return errors.New("it names none")
			}
			return nil
		},
	}
}

func (l *link) evaluation(key string) kv.Value[job.Evaluation] {
	return kv.Value[job.Evaluation]{
		Bucket:  l.evaluations(),
		Key:     key,
		Form:    kv.Packed,
		Version: func(e *job.Evaluation) *int { return &e.Version },
		Check: func(e job.Evaluation) error {
			if of := job.EvaluationKey(e.Round, e.UID, e.Claim); of != key {
				return fmt.Errorf("it is the evaluation of %s", of) // another claim's counts as little as another miner's
			}
			return nil
		},
	}
}

// stored is a miner's stored evaluation. Its key is the miner's uid.
func (l *link) stored(key string) kv.Value[stored] {
	return kv.Value[stored]{
		Bucket:  l.miners(),
		Key:     key,
		Form:    kv.Packed,
		Version: func(s *stored) *int { return &s.Version },
		Check: func(s stored) error {
			uid, err := strconv.Atoi(key)
			if err == nil && s.Evaluation != nil && s.Evaluation.UID != uid {
				err = fmt.Errorf("it is of miner %d", s.Evaluation.UID)
			}
			return err
		},
	}
}

func (l *link) identity(key string) kv.Value[job.Identity] {
	return kv.Value[job.Identity]{
		Bucket:  l.identities(),
		Key:     key,
		Version: func(i *job.Identity) *int { return &i.Version },
		Check: func(i job.Identity) error {
			if strconv.Itoa(i.UID) != key {
				return fmt.Errorf("it is of miner %d", i.UID)
			}
			return nil
		},
	}
}
