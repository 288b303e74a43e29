package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/plural"
)

// How long a diagnosis is shown before it is made anew: by whoever looks, and by the button.
const (
	diagnosisAge = time.Minute
	askedAge     = 5 * time.Second
)

// health keeps the last diagnosis. Making one takes seconds and writes to NATS.
type health struct {
	making chan struct{} // who makes one fills it
	last   diagnosed     // whoever has filled making may touch it
}

type diagnosed struct {
	doctor.Diagnosis

	At time.Time
}

// healthBody is the page of what doctor says.
type healthBody struct {
	diagnosed

	Making bool // somebody's request makes one just now
	Stand  badge
	Rows   []findingRow
}

// findingRow is a finding with its status in colour.
type findingRow struct {
	doctor.Finding

	Stand badge
	First bool // of its check
}

// healthPage is the page of what doctor says of this producer's installation.
func (d *Dashboard) healthPage(r *http.Request) (page, error) {
	p := page{Template: "health", Title: "Health", Nav: "Health"}
	found, making, err := d.diagnose(r.Context(), diagnosisAge)
	if err != nil {
		return page{}, err
	}
	body := healthBody{diagnosed: found, Making: making}
	if !making {
		body.Stand = standOfHealth(&found.Diagnosis)
		body.Rows = findingRows(found.Checks)
		if body.Stand.Kind != "good" {
			p.Title = body.Stand.Text + " · Health"
		}
	}
	p.Body = body
	return p, nil
}

// examine makes a diagnosis because somebody has asked for it.
func (d *Dashboard) examine(r *http.Request) (page, error) {
	_, _, err := d.diagnose(r.Context(), askedAge)
	return page{Redirect: "/health"}, err
}

// diagnose returns the last diagnosis, or makes one if that is too old. making says that
// another request does so just now. It is not waited for: pages in work are few.
func (d *Dashboard) diagnose(ctx context.Context, atMost time.Duration) (_ diagnosed, making bool, err error) {
	h := &d.health
	select {
	case h.making <- struct{}{}:
		defer func() { <-h.making }()
	default:
		return diagnosed{}, true, nil
	}
	if age := d.cfg.Now().Sub(h.last.At); !h.last.At.IsZero() && age >= 0 && age < atMost {
		return h.last, false, nil
	}
	// It is for all who look, so it does not end with the request that has begun it.
	found, err := d.cfg.Doctor(context.WithoutCancel(ctx))
	if err != nil {
		return diagnosed{}, false, fmt.Errorf("%w: %w", &web.ProblemError{
			Status: http.StatusInternalServerError,
			Title:  "The installation could not be examined",
			Todo:   "The producer's log says why; producer doctor examines it, too.",
		}, err)
	}
	h.last = diagnosed{found, d.cfg.Now()}
	return h.last, false, nil
}

func standOfHealth(d *doctor.Diagnosis) badge {
	switch {
	case d.Faults > 0:
		return badge{plural.Of(d.Faults, "fault"), "bad"}
	case d.Warnings > 0:
		return badge{plural.Of(d.Warnings, "warning"), "warn"}
	}
	return badge{"all is well", "good"}
}

func findingRows(found []doctor.Finding) []findingRow {
	kinds := map[doctor.Status]string{doctor.OK: "good", doctor.Warning: "warn", doctor.Fault: "bad"}
	rows := make([]findingRow, len(found))
	for i, f := range found {
		rows[i] = findingRow{f, badge{string(f.Status), kinds[f.Status]}, i == 0 || found[i-1].Check != f.Check}
	}
	return rows
}
