package dashboard

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/steering"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web"
	"mirrorfleet/shared/bounded"
)

// An act is an order that a person gives on a page of its own. GET shows what it will do and
// changes nothing; POST does it, and leads back to where it was given, with a code that says
// what came of it.

// act is one kind of order.
type act struct {
	// shows says what the order will do.
	shows func(*http.Request) (orderBody, error)
	// gives carries it out, and returns the code of what came of it (toldTexts).
	gives func(*http.Request, steering.Giver) (told string, err error)
}

// orderBody is the page that asks before an order is given.
type orderBody struct {
	Title string
	// Says is what the order will do, in sentences.
	Says []template.HTML
	// Nothing says why there is nothing to order; "" where there is.
	Nothing template.HTML
	Button  string
	Danger  bool // it loses something
	Reason  bool // it asks for a reason
	Length  bool // it asks for how long
	Round   string
	Miners  []outcome.Failed // that it runs again
	Choice  []outcome.Failed // those among which the order's miners are to be chosen first
	UIDs    []int            // whose jobs it ends
	Back    string
	Wrong   string // what is wrong with what was filled in; "" for nothing
	Given   string // the reason that was filled in
	Chosen  string // the length that was chosen, or the usual one
	Lengths []length
}

// length is how long an egress can be held, as a form sends it and as a person reads it.
type length struct{ Value, Text string }

// holdLengths are offered; the API and the command take any.
var holdLengths = []length{ //nolint:gochecknoglobals // a table
	{"5m", "5 minutes"},
	{"15m", "15 minutes"},
	{"30m", "30 minutes"},
	{"1h", "1 hour"},
	{"2h", "2 hours"},
	{"6h", "6 hours"},
	{"24h", "24 hours"},
}

// acts are the orders by their addresses.
func (d *Dashboard) acts() map[string]act {
	return map[string]act{
		"/orders/now":                   {d.showNow, d.giveNow},
		"/orders/pause":                 {d.showPause, d.givePause},
		"/orders/resume":                {d.showResume, d.giveResume},
		"/rounds/{id}/pause":            {d.showPauseRound, d.givePauseRound},
		"/rounds/{id}/resume":           {d.showResumeRound, d.giveResumeRound},
		"/rounds/{id}/cancel":           {d.showCancel, d.giveCancel},
		"/rounds/{id}/replay":           {d.showReplay, d.giveReplay},
		"/rounds/{id}/rescore":          {d.showRescore, d.giveRescore},
		"/limit/{egress}/hold":          {d.showHold, d.giveHold},
		"/limit/{egress}/release":       {d.showRelease, d.giveRelease},
		"/limit/{egress}/end-cool-down": {d.showEndCoolDown, d.giveEndCoolDown},
	}
}

// asks is the page that asks before an order is given. Whoever may not give it is told so
// before it is filled in.
func (d *Dashboard) asks(a act) maker {
	return func(r *http.Request) (page, error) {
		if to, err := d.mayOrder(r); err != nil || to != "" {
			return page{Redirect: to}, err
		}
		if to, err := d.ownName(r); err != nil || to != "" {
			return page{Redirect: to}, err
		}
		return orderPage(r, a, "")
	}
}

func orderPage(r *http.Request, a act, wrong string) (page, error) {
	body, err := a.shows(r)
	if err != nil {
		return page{}, err
	}
	body.Back = backOf(r)
	body.Wrong = wrong
	body.Given = r.PostForm.Get("reason") // "" before the form was sent
	body.Lengths, body.Chosen = holdLengths, cmp.Or(r.PostForm.Get("length"), "15m")
	p := page{Template: "order", Title: body.Title, Body: body}
	if wrong != "" {
		p.Status = http.StatusBadRequest
	}
	return p, nil
}

// carriesOut gives an order. Guard.Protect has refused what a page of another site has sent.
func (d *Dashboard) carriesOut(a act) maker {
	return func(r *http.Request) (page, error) {
		if to, err := d.mayOrder(r); err != nil {
			return page{}, err
		} else if to != "" {
			return page{}, errSignIn
		}
		if to, err := d.ownName(r); err != nil || to != "" {
			return page{Redirect: to}, err
		}
		if err := r.ParseForm(); err != nil {
			return page{}, &web.ProblemError{
				Status: http.StatusBadRequest,
				Title:  "The form could not be read",
				Todo:   "Open the page again and fill it in anew.",
			}
		}
		reason := r.PostForm.Get("reason")
		if err := bounded.CheckOrderText(reason); err != nil {
			return orderPage(r, a, "The reason cannot be taken: "+err.Error()+".")
		}
		caller := d.cfg.Guard.Caller(r)
		// An order that was begun is carried out, also if the browser leaves.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), d.cfg.Timeout)
		defer cancel()
		told, err := a.gives(r.WithContext(ctx), steering.Giver{Name: caller.Name, From: caller.From, Reason: reason})
		if err != nil && !steering.Given(err) { // the page that follows says what cannot be read
			return page{}, err
		}
		return page{Redirect: withTold(backOf(r), told)}, nil
	}
}

// ownName leads from latest to the page that asks about that round by its own name, also from a
// form: the round that was shown may not be the last one any more. It is "" for an address that
// names what it is about.
func (d *Dashboard) ownName(r *http.Request) (address string, err error) {
	if r.PathValue("id") != view.Latest {
		return "", nil
	}
	name, err := d.roundOf(r)
	_, order, _ := strings.Cut(strings.TrimPrefix(r.URL.RequestURI(), "/rounds/"), "/")
	return "/rounds/" + name + "/" + order, err
}

// mayOrder says whether the caller may give orders: a caller who has not signed in is led to
// do so, one whose token is for reading alone is refused.
func (d *Dashboard) mayOrder(r *http.Request) (signIn string, err error) {
	guard := d.cfg.Guard
	caller := guard.Caller(r)
	switch {
	case !guard.TakesOrders():
		return "", &web.ProblemError{
			Status: http.StatusForbidden,
			Title:  "This producer takes no orders",
			Todo:   "Start it with --api-token-file, or give the order with the command.",
		}
	case caller.Orders:
		return "", nil
	case caller.Reads && !guard.ReadsFreely():
		return "", &web.ProblemError{
			Status: http.StatusForbidden,
			Title:  "Your token is for reading alone",
			Todo:   "Sign out, and sign in with a token of --api-token-file.",
		}
	}
	return signInPath + "?to=" + url.QueryEscape(r.URL.RequestURI()), nil
}

// backOf is the page that an order is about.
func backOf(r *http.Request) string {
	if name := r.PathValue("id"); name != "" {
		return "/rounds/" + url.PathEscape(name)
	}
	if name := r.PathValue("egress"); name != "" {
		return "/limit#egress-" + url.PathEscape(name)
	}
	return "/"
}

// withTold adds the code of what an order has done to an address.
func withTold(address, told string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	query := u.Query()
	query.Set("told", told)
	u.RawQuery = query.Encode()
	return u.String()
}

// toldTexts are what an order has done, by the codes in addresses. An address carries no
// text: somebody else may have written it.
var toldTexts = map[string]string{ //nolint:gochecknoglobals // a table
	"now":                     "The next turn begins at once.",
	"now-already":             "The next turn was ordered already: it begins at once.",
	"paused":                  "The schedule is paused.",
	"paused-already":          "The schedule was paused already: that pause stays as it is.",
	"resumed":                 "The schedule is resumed.",
	"resumed-already":         "The schedule was not paused: nothing has changed.",
	"round-paused":            "The round is paused: no job is handed out.",
	"round-paused-already":    "The round was paused already: that pause stays as it is.",
	"round-resumed":           "The round is resumed: jobs are handed out.",
	"round-resumed-already":   "The round was not paused: nothing has changed.",
	"cancelled":               "The order to cancel is stored. The jobs end within seconds.",
	"cancelled-already":       "That was cancelled already: nothing has changed.",
	"replaying":               "The replay has begun. A new revision of the outcome follows when it ends.",
	"replaying-already":       "These miners are being run again already: nothing has changed.",
	"held":                    "The egress is held.",
	"held-longer":             "The egress has a hold that ends later: that hold stays.",
	"released":                "The hold is released.",
	"released-still":          "The hold is released. The egress still cools down.",
	"cool-down-ended":         "The cool-down is ended.",
	"released-already":        "The egress was not held: nothing has changed.",
	"cool-down-ended-already": "The egress did not cool down any more: nothing has changed.",
}

// toldOf is the text of what an order has done; "" for none.
func toldOf(r *http.Request) string { return toldTexts[r.URL.Query().Get("told")] }

// Sentences are markup of ours with texts from outside escaped and isolated.

// says is a sentence: %s stands for a text from outside.
func says(format string, texts ...string) template.HTML {
	escaped := make([]any, len(texts))
	for i, text := range texts {
		escaped[i] = "<bdi>" + template.HTMLEscapeString(text) + "</bdi>"
	}
	return template.HTML(fmt.Sprintf(format, escaped...)) //nolint:gosec // the format is ours, the rest escaped
}

// given is who gave an order, when, and why.
func given(name string, at time.Time, reason string) template.HTML {
	text := says("%s", name) + " at " + instant(at)
	if reason != "" {
		text += says(" (%s)", reason)
	}
	return text
}

// already is a code for an order that changed something, or not.
func already(code string, changed bool) string {
	if changed {
		return code
	}
	return code + "-already"
}
