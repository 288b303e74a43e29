package mirrorsim

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Fault is a way in which an answer goes wrong: one of the constants, or a
// status of faultStatuses as text ("503").
type Fault string

// The faults that are no single status.
const (
	Fault5xx       Fault = "5xx"       // a status of faultStatuses from 500 on, drawn for each request
	FaultReset     Fault = "reset"     // the connection is reset before an answer
	FaultStall     Fault = "stall"     // no answer for Config.Stall or until the client gives up, then a reset
	FaultCut       Fault = "cut"       // half of the right body, then the connection closes
	FaultMalformed Fault = "malformed" // 200 with JSON that breaks off
	FaultHTML      Fault = "html"      // 200 with a page of HTML

	// FaultNoFiles and the next two are files answers from the moment when the mirror
	// writes them: after a merge, and in a nightly backfill, it deletes a pull request's
	// rows and inserts them one by one. Other routes answer right.
	FaultNoFiles   Fault = "no-files"   // no file at all
	FaultSomeFiles Fault = "some-files" // the second half of the files is missing, at least one
	FaultNoTexts   Fault = "no-texts"   // the second half has neither texts nor sizes
)

// faultStatuses are the statuses of the mirror's own faults (500, 503) and of
// Cloudflare's, after two of another kind: a client must not repeat a 400, and a 429 here
// comes although no count exceeds the limit.
//
//nolint:gochecknoglobals // a table
var faultStatuses = []int{400, 429, 500, 502, 503, 520, 521, 522, 523, 524}

// first5xx is the index of the first status that Fault5xx stands for.
const first5xx = 2

// faultKinds are the faults that are no single status. draw compares in this order, so a
// change of the order changes the faults of a seed.
//
//nolint:gochecknoglobals // a table
var faultKinds = []Fault{Fault5xx, FaultReset, FaultStall, FaultCut, FaultMalformed, FaultHTML, FaultNoFiles, FaultSomeFiles, FaultNoTexts}

// status is the one status that a fault stands for, 0 for other faults.
func (f Fault) status() int {
	n, err := strconv.Atoi(string(f))
	if err != nil || !slices.Contains(faultStatuses, n) {
		return 0
	}
	return n
}

// check returns an error for an unknown fault.
func (f Fault) check() error {
	if f.status() != 0 || slices.Contains(faultKinds, f) {
		return nil
	}
	return fmt.Errorf("fault %q: want one of %s", f, strings.Join(FaultNames(), ", "))
}

// FaultNames lists every fault, for help and errors.
func FaultNames() []string {
	names := make([]string, 0, len(faultKinds)+len(faultStatuses))
	for _, kind := range faultKinds {
		names = append(names, string(kind))
	}
	for _, status := range faultStatuses {
		names = append(names, strconv.Itoa(status))
	}
	return names
}

// ParseFault reads "kind=probability".
func ParseFault(text string) (Fault, float64, error) {
	kind, number, found := strings.Cut(text, "=")
	p, err := strconv.ParseFloat(number, 64)
	if !found || err != nil || !(p >= 0 && p <= 1) {
		return "", 0, fmt.Errorf("fault %q: want kind=probability with a probability from 0 to 1, such as 5xx=0.05", text)
	}
	return Fault(kind), p, Fault(kind).check()
}

// draw picks the fault of one request, "" for none. It takes exactly one number, so the
// sequence depends only on the seed and on the number of requests before.
func draw(rng *rand.Rand, probabilities []faultChance) Fault {
	x := rng.Float64()
	for _, chance := range probabilities {
		if x < chance.probability {
			return chance.fault
		}
		x -= chance.probability
	}
	return ""
}

// faultChance is how likely a fault is.
type faultChance struct {
	fault       Fault
	probability float64
}

// chances are the configured faults in a fixed order.
func chances(faults map[Fault]float64) []faultChance {
	list := make([]faultChance, 0, len(faults))
	for _, name := range FaultNames() {
		if p, ok := faults[Fault(name)]; ok {
			list = append(list, faultChance{Fault(name), p})
		}
	}
	return list
}

// resolve picks one of the statuses that "5xx" stands for; other faults stay.
func (f Fault) resolve(rng *rand.Rand) Fault {
	if f != Fault5xx {
		return f
	}
	return Fault(strconv.Itoa(faultStatuses[first5xx+rng.IntN(len(faultStatuses)-first5xx)]))
}

// statusAnswer is the answer of a fault that is a status: JSON for the mirror's own
// statuses, an HTML page for Cloudflare's.
func statusAnswer(status int) answer {
	switch status {
	case http.StatusBadRequest:
		return refusal(status, "Bad request")
	case http.StatusInternalServerError:
		return refusal(status, "Internal server error")
	case http.StatusServiceUnavailable:
		return refusal(status, "Service Unavailable")
	}
	return page(status)
}
