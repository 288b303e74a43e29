package job

import (
	"encoding/json"

	"mirrorfleet/shared/scoring/tokens"
)

// ChangeToScore is what `producer preview` writes to the standard input of `worker files`:
// the files of a change that no job is about, and the weights to score them by.
type ChangeToScore struct {
	Files []tokens.File `json:"files"`
	// Languages and Tokens are the two weights files; Unloadable are the languages that
	// the validator cannot load.
	Languages  json.RawMessage `json:"languages"`
	Tokens     json.RawMessage `json:"tokens"`
	Unloadable []string        `json:"unloadable"`
}

// ChangeScored is what `worker files` answers on its standard output.
type ChangeScored struct {
	Figures tokens.Figures `json:"figures"`
	// Lacks is why the figures do not follow from the files alone; "" if they do.
	Lacks string `json:"lacks,omitempty"`
	// Sandbox are the parts that the kernel lacks of what holds a token-scoring child.
	Sandbox []string `json:"sandbox_lacks,omitempty"`
}
