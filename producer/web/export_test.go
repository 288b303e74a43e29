package web

import (
	"reflect"

	"mirrorfleet/producer/answer"
	"mirrorfleet/producer/doctor"
	"mirrorfleet/producer/estimate"
	"mirrorfleet/producer/outcome"
)

// Bodies are the types of what openapi.json describes, by the names that it
// gives them: what the API answers, and what commands print.
var Bodies = map[string]reflect.Type{
	"RoundList":    reflect.TypeFor[answer.List](),
	"Round":        reflect.TypeFor[standing](),
	"Rewards":      reflect.TypeFor[answer.Rewards](),
	"Evaluations":  reflect.TypeFor[answer.Evaluations](),
	"Miner":        reflect.TypeFor[answer.Miner](),
	"Bucket":       reflect.TypeFor[answer.Bucket](),
	"Limit":        reflect.TypeFor[answer.Limit](),
	"ReplayOrder":  reflect.TypeFor[order](),
	"ReplayAnswer": reflect.TypeFor[answer.Replay](),
	"Problem":      reflect.TypeFor[document](),
	"ProblemType":  reflect.TypeFor[explained](),

	"Outcome":     reflect.TypeFor[answer.Outcome](),
	"PullRequest": reflect.TypeFor[answer.PullRequest](),
	"Comparison":  reflect.TypeFor[outcome.Comparison](),
	"Plan":        reflect.TypeFor[estimate.Estimate](),
	"Diagnosis":   reflect.TypeFor[doctor.Diagnosis](),
}
