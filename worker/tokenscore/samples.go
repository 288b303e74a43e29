package tokenscore

import (
	"context"

	"mirrorfleet/shared/scoring/tokens"

	_ "embed"
	"encoding/json"
	"fmt"
)

// samplesJSON has one new file in each language, with the validator's figures under the
// product's own weights.
//
//go:embed samples.json
var samplesJSON []byte

// Sample is a file and its known figures.
type Sample struct {
	Language string `json:"language"`
	// Case is the name of the test case from which the sample is taken.
	Case    string  `json:"case"`
	Path    string  `json:"path"`
	Changes int     `json:"changes"`
	Text    string  `json:"text"`
	Score   float64 `json:"score"`
	Nodes   int     `json:"nodes"`
}

// Samples are one for each language of the rules, in the order of their names.
func Samples() ([]Sample, error) {
	var samples []Sample
	if err := json.Unmarshal(samplesJSON, &samples); err != nil {
		return nil, fmt.Errorf("reading the samples: %w", err)
	}
	return samples, nil
}

// Wrong is a sample whose figures differ from the validator's.
type Wrong struct {
	Language string `json:"language"`
	Want     string `json:"want"`
	Got      string `json:"got"`
}

// Check scores the sample of each language, C# with its grammar too. It returns the number
// of samples, and those with wrong figures. An error means that a sample could not be scored
// at all.
func (p *Pool) Check(ctx context.Context) (checked int, wrong []Wrong, err error) {
	samples, err := Samples()
	if err != nil {
		return 0, nil, err
	}
	languages, tokenFile := tokens.DefaultWeights()
	weights, err := tokens.ParseWeights(languages, tokenFile)
	if err != nil {
		return 0, nil, fmt.Errorf("the product's own weights: %w", err)
	}
	for _, s := range samples {
		scored, err := p.Score(ctx, "the samples", weights, []tokens.File{{
			Filename: s.Path, Status: "added", Changes: s.Changes, Additions: s.Changes, Head: &s.Text,
		}}, nil)
		if err != nil {
			return checked, wrong, fmt.Errorf("scoring the sample of %s: %w", s.Language, err)
		}
		checked++
		f := scored.Figures.Files[0]
		if f.Method != tokens.MethodTreeDiff || f.Score != s.Score || f.Nodes != s.Nodes {
			wrong = append(wrong, Wrong{
				Language: s.Language, Want: fmt.Sprintf("score %v of %d nodes", s.Score, s.Nodes),
				Got: fmt.Sprintf("score %v of %d nodes (%s)", f.Score, f.Nodes, f.Method),
			})
		}
	}
	return checked, wrong, nil
}
