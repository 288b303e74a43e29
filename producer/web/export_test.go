package web

import (
	"reflect"

	"mirrorfleet/producer/answer"
)

// Bodies are the types of the bodies that openapi.json describes, by the names
// that it gives them.
var Bodies = map[string]reflect.Type{
	"RoundList":    reflect.TypeFor[list](),
	"Round":        reflect.TypeFor[standing](),
	"Rewards":      reflect.TypeFor[answer.Rewards](),
	"Miner":        reflect.TypeFor[answer.Miner](),
	"Bucket":       reflect.TypeFor[answer.Bucket](),
	"ReplayOrder":  reflect.TypeFor[order](),
	"ReplayAnswer": reflect.TypeFor[accepted](),
	"Problem":      reflect.TypeFor[document](),
	"ProblemType":  reflect.TypeFor[explained](),
}
