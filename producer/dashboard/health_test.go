package dashboard_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/producer/dashboard"
	"mirrorfleet/producer/doctor"
)

// The page of health shows the findings with their remedies. It examines once a minute
// however many look, and at once when somebody asks for it; who looks meanwhile is told so.
func TestHealth(t *testing.T) {
	t.Parallel()
	var runs, minutes atomic.Int64
	begun, hold := make(chan struct{}, 9), make(chan struct{})
	b := setup(t, func(c *dashboard.Config) {
		c.Now = func() time.Time { return now.Add(time.Duration(minutes.Load()) * 30 * time.Second) }
		c.Doctor = func(ctx context.Context) (doctor.Diagnosis, error) {
			if runs.Add(1) == 3 {
				begun <- struct{}{}
				<-hold
			}
			if ctx.Err() != nil || runs.Load() > 3 {
				return doctor.Diagnosis{}, errors.New("secret.example is away")
			}
			return doctor.Diagnose([]doctor.Finding{
				{Check: "NATS server", Status: doctor.OK, Text: "it is well"},
				{Check: "workers", Status: doctor.Warning, Code: "worker-silent", Text: "one is silent: " + hostile, Mend: "start it"},
				{Check: "workers", Status: doctor.Fault, Code: "no-worker", Text: "none is there", Mend: "start one"},
			}), nil
		}
	})
	for range 3 {
		has(t, b.get(t, "/health"), http.StatusOK, "<title>1 fault · Health", ">warning<", "<b>To fix:</b> start it", "no-worker", "1 fault, 1 warning")
	}
	minutes.Store(1)
	if b.get(t, "/health"); runs.Load() != 1 {
		t.Errorf("%d examinations within half a minute, want one", runs.Load())
	}
	if a := b.submit(t, http.MethodPost, "/health", ""); a.StatusCode != http.StatusSeeOther || runs.Load() != 2 { //nolint:bodyclose // submit closes it
		t.Errorf("the button: %d, %d examinations, want a second one", a.StatusCode, runs.Load())
	}
	has(t, b.ask(t, http.MethodPost, "/health", "", "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
	minutes.Store(10)
	over := make(chan int)
	go func() { over <- b.get(t, "/health").Status }()
	<-begun
	has(t, b.get(t, "/health"), http.StatusOK, "is being examined just now")
	close(hold)
	if status := <-over; status != http.StatusOK {
		t.Errorf("the third examination: %d", status)
	}
	minutes.Store(20)
	page := b.get(t, "/health")
	has(t, page, http.StatusInternalServerError, "could not be examined", "producer doctor")
	if strings.Contains(page.Body, "secret.example") || !strings.Contains(b.Log.String(), "secret.example") {
		t.Error("the cause is on the page, or not in the log")
	}
}
