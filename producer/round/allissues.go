package round

import (
	"context"
	"fmt"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/openissues"
	"mirrorfleet/shared/scoring/input"
)

// withIssues is the manifest with what the mirror's one answer says of its miners'
// issues. It is asked for once, before the manifest is written, so a producer that
// resumes the round uses the same answer. Nothing is asked from an egress that the fleet
// has not declared; the producer that then runs the round reports the egress.
func (r *Runner) withIssues(ctx context.Context, m job.Manifest) (job.Manifest, error) {
	if r.cfg.AllIssues <= 0 {
		return m, nil
	}
	if refused := r.admitted(ctx); refused != nil {
		return m, nil //nolint:nilerr // the round is refused when it is held, and the error with it
	}
	registry, err := input.ParseRegistry(m.Registry)
	if err != nil {
		return m, fmt.Errorf("registry of round %s: %w", m.Round, err)
	}
	all, err := openissues.Ask(ctx, openissues.Question{
		Mirror:   r.cfg.Mirror,
		Manifest: m,
		Registry: registry,
		Bytes:    r.cfg.AllIssues,
		Log:      r.cfg.Log,
	})
	if err != nil {
		return m, err
	}
	m.AllIssues = &all
	return m, nil
}
