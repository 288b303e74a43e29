package dashboard

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/ratelimit"
)

// The orders to an egress.

// egressOrder begins the page of an order to the egress of the path.
func (d *Dashboard) egressOrder(r *http.Request, title, button string) (orderBody, view.Bucket, error) {
	name := r.PathValue("egress")
	body := orderBody{Title: fmt.Sprintf("%s %.80s", title, name), Button: button}
	buckets, err := d.cfg.Buckets(r.Context())
	if err != nil {
		return body, view.Bucket{}, errRedis(err)
	}
	at := slices.IndexFunc(buckets, func(s ratelimit.State) bool { return s.Egress == name && s.Known })
	if at < 0 {
		return body, view.Bucket{}, &web.ProblemError{
			Status: http.StatusNotFound,
			Title:  "There is no such egress",
			Detail: fmt.Sprintf("%.80q has no bucket", name),
			Todo:   "The page of the limit lists the egresses.",
		}
	}
	return body, view.BucketOf(buckets[at]), nil
}

func (d *Dashboard) showHold(r *http.Request) (orderBody, error) {
	body, b, err := d.egressOrder(r, "Hold egress", "Hold")
	body.Reason, body.Length = true, true
	body.Says = []template.HTML{
		"During the hold, no process sends anything to the mirror from this egress. Rounds wait, and resume when the hold ends.",
		"A hold that ends later stays as it is. Releasing the egress ends any hold.",
	}
	if b.Hold > 0 {
		body.Says = append(body.Says, says("It is held for "+took(b.Hold)+" more, by %s: %s.", orUnknown(b.HeldBy), orUnknown(b.HeldWhy)))
	}
	return body, err
}

func orUnknown(text string) string {
	if text == "" {
		return "not said"
	}
	return text
}

func (d *Dashboard) giveHold(r *http.Request, g steering.Giver) (string, error) {
	length, err := time.ParseDuration(r.PostForm.Get("length"))
	if err != nil {
		return "", &web.ProblemError{
			Status: http.StatusBadRequest,
			Title:  "The length of the hold is not understood",
			Detail: fmt.Sprintf("%.80q: want a length of time such as 15m, from %s to %s",
				r.PostForm.Get("length"), ratelimit.MinHold, ratelimit.MaxHold),
			Todo: "Open the page again and choose a length.",
		}
	}
	b, err := d.cfg.Operator.Hold(r.Context(), g, r.PathValue("egress"), length)
	if err == nil && b.Hold > length.Seconds() {
		return "held-longer", nil
	}
	return "held", err
}

func (d *Dashboard) showRelease(r *http.Request) (orderBody, error) {
	body, b, err := d.egressOrder(r, "Release egress", "Release")
	if err != nil {
		return body, err
	}
	body.Says = []template.HTML{
		says("It is held for "+took(b.Hold)+" more, by %s: %s.", orUnknown(b.HeldBy), orUnknown(b.HeldWhy)),
		"Released, it sends again at the normal pace.",
	}
	if b.CoolDown > 0 {
		body.Says = append(body.Says, says("It still cools down for "+took(b.CoolDown)+", because the mirror has asked for it."))
	}
	if b.Hold <= 0 {
		body.Nothing = "The egress is not held."
	}
	return body, nil
}

func (d *Dashboard) giveRelease(r *http.Request, g steering.Giver) (string, error) {
	b, err := d.cfg.Operator.Release(r.Context(), g, r.PathValue("egress"))
	switch {
	case errors.Is(err, steering.ErrAlready): // whoever released it twice has what they want
		return "released-already", nil
	case b.CoolDown > 0:
		return "released-still", err
	}
	return "released", err
}

func (d *Dashboard) showEndCoolDown(r *http.Request) (orderBody, error) {
	body, b, err := d.egressOrder(r, "End the cool-down of egress", "End the cool-down anyway")
	if err != nil {
		return body, err
	}
	if b.CoolDown <= 0 {
		body.Nothing = "The egress does not cool down."
		return body, nil
	}
	risk, err := d.cfg.Operator.CoolDownRisk(r.Context(), b.Egress)
	body.Danger = true
	body.Says = []template.HTML{says("%s.", "What it risks: "+risk)}
	return body, err
}

func (d *Dashboard) giveEndCoolDown(r *http.Request, g steering.Giver) (string, error) {
	_, err := d.cfg.Operator.EndCoolDown(r.Context(), g, r.PathValue("egress"))
	if errors.Is(err, steering.ErrAlready) {
		return "cool-down-ended-already", nil
	}
	return "cool-down-ended", err
}
