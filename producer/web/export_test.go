package web

import (
	"reflect"

	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/estimate"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/preview"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/problems"
)

// Bodies are the types of what openapi.json describes, by the names that it
// gives them: what the API answers, and what commands print.
var Bodies = map[string]reflect.Type{
	"RoundList":    reflect.TypeFor[view.List](),
	"Round":        reflect.TypeFor[standing](),
	"History":      reflect.TypeFor[view.History](),
	"Rewards":      reflect.TypeFor[view.Rewards](),
	"Evaluations":  reflect.TypeFor[view.Evaluations](),
	"Miner":        reflect.TypeFor[view.Miner](),
	"Tokens":       reflect.TypeFor[view.Tokens](),
	"RoundNow":     reflect.TypeFor[view.RoundNow](),
	"JobNow":       reflect.TypeFor[view.JobNow](),
	"Attempts":     reflect.TypeFor[view.Attempts](),
	"Bucket":       reflect.TypeFor[view.Bucket](),
	"CancelOrder":  reflect.TypeFor[cancelRequest](),
	"CancelAnswer": reflect.TypeFor[view.Cancel](),
	"RescoreOrder": reflect.TypeFor[rescoreRequest](),
	"Schedule":     reflect.TypeFor[view.Schedule](),
	"Steered":      reflect.TypeFor[view.Steered](),
	"Order":        reflect.TypeFor[orderRequest](),
	"HoldOrder":    reflect.TypeFor[holdRequest](),
	"EndOrder":     reflect.TypeFor[endRequest](),
	"Egresses":     reflect.TypeFor[view.Egresses](),
	"Workers":      reflect.TypeFor[view.Workers](),
	"ReplayOrder":  reflect.TypeFor[replayRequest](),
	"ReplayAnswer": reflect.TypeFor[view.Replay](),
	"Problem":      reflect.TypeFor[problems.Document](),
	"ProblemType":  reflect.TypeFor[explained](),

	"Outcome":     reflect.TypeFor[view.Outcome](),
	"PullRequest": reflect.TypeFor[view.PullRequest](),
	"Shadow":      reflect.TypeFor[view.Shadow](),
	"Comparison":  reflect.TypeFor[outcome.Comparison](),
	"Plan":        reflect.TypeFor[estimate.Estimate](),
	"Preview":     reflect.TypeFor[preview.Preview](),
	"Event":       reflect.TypeFor[view.Event](),
	"Diagnosis":   reflect.TypeFor[doctor.Diagnosis](),
}
