package dashboard

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/plural"
)

// The orders to the schedule.

func (d *Dashboard) showNow(r *http.Request) (orderBody, error) {
	s, err := view.ScheduleOf(r.Context(), d.cfg.Bus, d.cfg.Now())
	body := orderBody{Title: "Run a round now", Button: "Run a round now"}
	switch {
	case err != nil:
	case s.Paused != nil:
		body.Nothing = "The schedule is paused by " + given(s.Paused.By, s.Paused.At, s.Paused.Reason) + ". Resume it first."
	case s.Running != "":
		body.Nothing = says("Round %s runs. A turn begins when it has ended.", s.Running)
	case s.Ordered != nil:
		body.Nothing = "The next turn was ordered already, by " + given(s.Ordered.By, s.Ordered.At, "") + ". It begins at once."
	default:
		body.Says = append(body.Says, "The next turn of the schedule begins at once, and not only when it is due.", d.leads(&s))
		if s.NextTurn != nil {
			body.Says = append(body.Says, "Without this it would be due at "+instant(*s.NextTurn)+".")
		}
	}
	return body, err
}

// leads says who begins the rounds.
func (d *Dashboard) leads(s *view.Schedule) template.HTML {
	if s.Producer == "" {
		return "No producer leads the schedule just now: whatever is ordered waits until one does."
	}
	return says("Producer %s leads the schedule and begins the round.", s.Producer)
}

func (d *Dashboard) giveNow(r *http.Request, g steering.Giver) (string, error) {
	did, err := d.cfg.Operator.Now(r.Context(), g)
	return already("now", did.Changed), err
}

func (d *Dashboard) showPause(r *http.Request) (orderBody, error) {
	s, err := view.ScheduleOf(r.Context(), d.cfg.Bus, d.cfg.Now())
	body := orderBody{
		Title: "Pause the schedule",
		Says: []template.HTML{
			"No turn and no warm-up begins until somebody resumes the schedule. Then one round makes up for the turns that were missed.",
		},
		Button: "Pause the schedule",
		Reason: true,
	}
	switch {
	case err != nil:
	case s.Paused != nil:
		body.Nothing = "The schedule is paused already, by " + given(s.Paused.By, s.Paused.At, s.Paused.Reason) + "."
	case s.Running != "":
		body.Says = append(body.Says, says("Round %s runs and goes on.", s.Running))
	case s.Ordered != nil:
		body.Says = append(body.Says, "The turn that "+says("%s", s.Ordered.By)+" has ordered does not begin any more.")
	case s.NextTurn != nil:
		body.Says = append(body.Says, "The next turn would be due at "+instant(*s.NextTurn)+".")
	}
	return body, err
}

func (d *Dashboard) givePause(r *http.Request, g steering.Giver) (string, error) {
	did, err := d.cfg.Operator.Pause(r.Context(), g)
	return already("paused", did.Changed), err
}

func (d *Dashboard) showResume(r *http.Request) (orderBody, error) {
	s, err := view.ScheduleOf(r.Context(), d.cfg.Bus, d.cfg.Now())
	body := orderBody{Title: "Resume the schedule", Button: "Resume the schedule"}
	switch {
	case err != nil:
	case s.Paused == nil:
		body.Nothing = "The schedule is not paused."
	default:
		body.Says = []template.HTML{
			"The schedule was paused by " + given(s.Paused.By, s.Paused.At, s.Paused.Reason) + ".",
			"Turns begin again when they are due. One round makes up for the turns that were missed, and begins within seconds.",
			d.leads(&s),
		}
	}
	return body, err
}

func (d *Dashboard) giveResume(r *http.Request, g steering.Giver) (string, error) {
	did, err := d.cfg.Operator.Resume(r.Context(), g)
	return already("resumed", did.Changed), err
}

// The orders to a round.

// roundOrder begins the page of an order to the round of the path.
func (d *Dashboard) roundOrder(r *http.Request, title string) (orderBody, error) {
	name, err := d.roundOf(r)
	return orderBody{
		Title:  title + " round " + name,
		Button: title + " the round",
		Round:  name,
	}, err
}

func (d *Dashboard) showPauseRound(r *http.Request) (orderBody, error) {
	body, err := d.roundOrder(r, "Pause")
	if err != nil {
		return body, err
	}
	s, err := view.ScheduleOf(r.Context(), d.cfg.Bus, d.cfg.Now())
	if err != nil {
		return body, err
	}
	stands, err := view.RoundOf(r.Context(), d.cfg.Bus, body.Round, d.cfg.Now())
	body.Reason = true
	body.Says = []template.HTML{
		"No worker gets a job any more, of any round, until somebody resumes this one. Workers finish the jobs that they have.",
		"The round's deadline does not move: jobs that are outstanding then have failed.",
	}
	switch {
	case s.PausedRound != nil && s.PausedRound.Round == body.Round:
		body.Nothing = "The round is paused already, by " + given(s.PausedRound.By, s.PausedRound.At, s.PausedRound.Reason) + "."
	case err == nil && stands.Outstanding == 0:
		body.Nothing = "No job of this round is outstanding: there is nothing to pause."
	}
	return body, err
}

func (d *Dashboard) givePauseRound(r *http.Request, g steering.Giver) (string, error) {
	name, err := d.roundOf(r)
	if err != nil {
		return "", err
	}
	did, err := d.cfg.Operator.PauseRound(r.Context(), g, name)
	return already("round-paused", did.Changed), err
}

func (d *Dashboard) showResumeRound(r *http.Request) (orderBody, error) {
	body, err := d.roundOrder(r, "Resume")
	if err != nil {
		return body, err
	}
	s, err := view.ScheduleOf(r.Context(), d.cfg.Bus, d.cfg.Now())
	switch {
	case err != nil:
	case s.PausedRound == nil || s.PausedRound.Round != body.Round:
		body.Nothing = "The round is not paused."
	default:
		body.Says = []template.HTML{
			"It was paused by " + given(s.PausedRound.By, s.PausedRound.At, s.PausedRound.Reason) + ".",
			"Workers get jobs again at once.",
		}
	}
	return body, err
}

func (d *Dashboard) giveResumeRound(r *http.Request, g steering.Giver) (string, error) {
	name, err := d.roundOf(r)
	if err != nil {
		return "", err
	}
	did, err := d.cfg.Operator.ResumeRound(r.Context(), g, name)
	return already("round-resumed", did.Changed), err
}

// uidsOf are the miners that an address names by uids=1,2, or by boxes of a form.
func uidsOf(r *http.Request) (uids []int, err error) {
	for _, list := range r.URL.Query()["uids"] {
		for text := range strings.SplitSeq(list, ",") {
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			uid, err := strconv.Atoi(text)
			if err != nil || uid < 0 {
				return nil, badQuery("uids", text, "want whole numbers from 0, separated by commas")
			}
			uids = append(uids, uid)
		}
	}
	return uids, nil
}

func (d *Dashboard) showCancel(r *http.Request) (orderBody, error) {
	body, err := d.roundOrder(r, "Cancel")
	if err != nil {
		return body, err
	}
	uids, err := uidsOf(r)
	if err != nil {
		return body, err
	}
	ends, err := view.WouldCancel(r.Context(), d.cfg.Bus, body.Round, uids)
	if err != nil {
		return body, err
	}
	body.Danger, body.Reason = true, true
	body.UIDs = ends.UIDs
	if len(uids) > 0 {
		body.Title = "Cancel jobs of round " + body.Round
		body.Button = "Cancel " + plural.Of(len(ends.UIDs), "job")
	}
	body.Says = []template.HTML{
		says("Outstanding jobs that end within seconds, as failed: " + number(len(ends.UIDs)) + ". What was done stays done."),
		"The round is concluded without them: these miners are scored by what is stored of them, or get nothing. A replay runs them again.",
	}
	if len(ends.UIDs) == 0 {
		body.Nothing = "That was cancelled already: the jobs end within seconds."
	}
	return body, nil
}

func (d *Dashboard) giveCancel(r *http.Request, g steering.Giver) (string, error) {
	name, err := d.roundOf(r)
	if err != nil {
		return "", err
	}
	uids, err := uidsOf(r)
	if err != nil {
		return "", err
	}
	did, err := d.cfg.Operator.Cancel(r.Context(), g, name, uids)
	return already("cancelled", len(did.UIDs) > 0), err
}

func (d *Dashboard) showReplay(r *http.Request) (orderBody, error) {
	return d.showAgain(r, "Replay", false)
}

// showRescore lets the miners be chosen first, if the address names none.
func (d *Dashboard) showRescore(r *http.Request) (orderBody, error) {
	if r.Method == http.MethodPost || len(r.URL.Query()["uids"]) > 0 {
		return d.showAgain(r, "Rescore", true)
	}
	body, err := d.roundOrder(r, "Rescore")
	if err != nil {
		return body, err
	}
	would, err := d.cfg.Operator.Replay(r.Context(), steering.Giver{}, body.Round, outcome.Selection{Rescore: true}, true)
	body.Title = "Rescore miners of round " + body.Round
	body.Button = "Rescore the selection"
	body.Choice = would.Chosen
	body.Says = []template.HTML{"Choose the miners. The next page shows what the order does, before it is given."}
	if len(would.Chosen) == 0 {
		body.Nothing = "No job of the round can be run again just now."
	}
	return body, err
}

// allMiners is what an address has for every miner that has a job.
const allMiners = "all"

// selectionOf are the miners that an address chooses: some, a group, or all that failed. A
// rescore names its miners, or says that it is for all.
func selectionOf(r *http.Request, rescore bool) (outcome.Selection, error) {
	if rescore && r.URL.Query().Get("uids") == allMiners {
		return outcome.Selection{Rescore: true}, nil
	}
	uids, err := uidsOf(r)
	if err == nil && rescore && len(uids) == 0 {
		err = badQuery("uids", "", "say which miners are to be scored again, such as uids=5,17; uids="+allMiners+" is every miner that has a job")
	}
	return outcome.Selection{
		UIDs:    uids,
		Like:    r.URL.Query().Get("like"),
		Rescore: rescore,
	}, err
}

// showAgain says which miners a replay or a rescore would run, by a dry run of it.
func (d *Dashboard) showAgain(r *http.Request, verb string, rescore bool) (orderBody, error) {
	body, err := d.roundOrder(r, verb)
	if err != nil {
		return body, err
	}
	selection, err := selectionOf(r, rescore)
	if err != nil {
		return body, err
	}
	would, err := d.cfg.Operator.Replay(r.Context(), steering.Giver{}, body.Round, selection, true)
	if err != nil {
		return body, err
	}
	if len(would.Chosen) > 0 {
		body.Title = fmt.Sprintf("%s %s of round %s", verb, plural.Of(len(would.Chosen), "miner"), body.Round)
	}
	body.Button = verb + " " + plural.Of(len(would.Chosen), "miner")
	body.Miners = would.Chosen
	body.Says = []template.HTML{
		says("Workers run the jobs of " + plural.Of(len(would.Chosen), "miner") + " again, and ask the mirror within the limit."),
		says(fmt.Sprintf("Then the round is concluded anew as revision %d. Revision %d stays as it is.", would.Revision+1, would.Revision)),
	}
	if len(would.Already) > 0 {
		body.Says = append(body.Says, says("Being run again just now: "+view.Miners(would.Already)+"."))
	}
	if len(would.Chosen) == 0 {
		body.Nothing = "No miner of the round lacks anything: there is nothing to run again."
		if len(would.Already) > 0 {
			body.Nothing = says("All miners that can run again are already being run again: " + view.Miners(would.Already) + ".")
		}
	}
	return body, nil
}

func (d *Dashboard) giveReplay(r *http.Request, g steering.Giver) (string, error) {
	return d.again(r, g, false)
}

func (d *Dashboard) giveRescore(r *http.Request, g steering.Giver) (string, error) {
	return d.again(r, g, true)
}

func (d *Dashboard) again(r *http.Request, g steering.Giver, rescore bool) (string, error) {
	name, err := d.roundOf(r)
	if err != nil {
		return "", err
	}
	selection, err := selectionOf(r, rescore)
	if err != nil {
		return "", err
	}
	_, err = d.cfg.Operator.Replay(r.Context(), g, name, selection, false)
	if errors.Is(err, steering.ErrReplaying) {
		return "replaying-already", nil
	}
	return "replaying", err
}
