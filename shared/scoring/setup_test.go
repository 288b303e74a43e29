package scoring_test

import (
	"testing"

	"mirrorfleet/shared/scoring/input"
)

// registry parses a registry that must be right.
func registry(tb testing.TB, text string) input.Registry {
	tb.Helper()
	reg, err := input.ParseRegistry([]byte(text))
	if err != nil {
		tb.Fatalf("ParseRegistry(%s): %v", text, err)
	}
	return reg
}

// repository parses a registry of one repository, a/b, with these settings.
func repository(tb testing.TB, settings string) *input.Repository {
	tb.Helper()
	if settings != "" {
		settings = ", " + settings
	}
	reg := registry(tb, `{"a/b": {"emission_share": 0.5`+settings+`}}`)
	return &reg.Repositories[0]
}
