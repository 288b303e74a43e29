package mirrorsim

import (
	"encoding/json"

	"mirrorfleet/shared/scoring"
)

// demoRepo is one repository of the demo world.
type demoRepo struct {
	name      string // as the mirror spells it: not in lower case
	languages []string
	settings  json.RawMessage // as in a registry file
}

// demoRepos differ in every setting that the rules know.
//
//nolint:gochecknoglobals // a table
var demoRepos = []demoRepo{
	{"Harborline/Skiff", []string{"go", "go", "sh"}, json.RawMessage(`{
		"emission_share": 0.30,
		"label_multipliers": {"bug": 1.1, "feature*": 1.5, "docs": 0.6}
	}`)},
	{"lumen-labs/lantern", []string{"py"}, json.RawMessage(`{
		"emission_share": 0.22, "maintainer_cut": 0.2, "trusted_label_pipeline": true,
		"label_multipliers": {"kind/*": 1.2, "kind/[fs]eature": 1.6, "*": 0.9}
	}`)},
	{"quillworks/Canvas", []string{"ts", "ts", "json"}, json.RawMessage(`{
		"emission_share": 0.16, "issue_discovery_share": 0.4,
		"additional_acceptable_branches": ["release/*", "develop"],
		"eligibility": {
			"min_valid_merged_prs": 2, "min_credibility": 0.6, "min_valid_solved_issues": 1, "min_issue_credibility": 0.3
		}
	}`)},
	{"ferrous-bay/ferry", []string{"rs"}, json.RawMessage(`{
		"emission_share": 0.12, "maintainer_cut": 0.1,
		"eligibility": {"min_valid_solved_issues": 1, "min_issue_credibility": 0.5},
		"scoring": {
			"pr_lookback_days": 45, "review_penalty_rate": 0.25, "src_tok_saturation_scale": 120,
			"standard_issue_multiplier": 1.2, "maintainer_issue_multiplier": 1.8,
			"time_decay": {"grace_period_hours": 24, "sigmoid_midpoint_days": 14, "sigmoid_steepness": 0.25, "min_multiplier": 0.1}
		}
	}`)},
	{"oldtown/archive", []string{"c", "java", "cs"}, json.RawMessage(`{
		"emission_share": 0.06, "fixed_base_score": 12, "default_label_multiplier": 0.8,
		"eligibility": {"min_valid_merged_prs": 1, "excessive_pr_penalty_base_threshold": 0}
	}`)},
	{"commons/handbook", []string{"md", "yaml", "rb"}, json.RawMessage(`{
		"emission_share": 0.04, "issue_discovery_share": 0,
		"eligibility": {"min_valid_merged_prs": 1},
		"scoring": {"open_pr_collateral_percent": 0.5}
	}`)},
}

// The demo's repositories by place in demoRepos.
const (
	skiff = iota
	lantern
	canvas
	ferry
	archive
	handbook
)

// part is what a miner has in one repository.
type part struct{ repo, merged, open, closed int }

// castMember is one miner of the demo.
type castMember struct {
	uid   int
	login string
	token scoring.TokenState
	parts []part
}

// The cast members whom something happens to.
const (
	uidNoToken    = 60
	uidRefused    = 178
	uidHealing    = 44 // its list fails at first: the fleet tries again
	uidMaintainer = 133
)

// cast is who takes part. The parts are chosen so that some are eligible
// everywhere, some nowhere, one has too many open pull requests, and one too
// many closed.
//
//nolint:gochecknoglobals // a table
var cast = []castMember{
	{0, "", scoring.TokenNone, nil},
	{3, "ada-quay", scoring.TokenValid, []part{{skiff, 8, 1, 0}, {lantern, 3, 0, 0}}},
	{7, "bo-tiller", scoring.TokenValid, []part{{lantern, 7, 1, 1}, {handbook, 2, 0, 0}}},
	{12, "cy-mooring", scoring.TokenValid, []part{{canvas, 6, 0, 1}, {skiff, 3, 1, 0}}},
	{18, "dee-keel", scoring.TokenValid, []part{{ferry, 7, 0, 1}}},
	{25, "eli-spar", scoring.TokenValid, []part{{archive, 4, 0, 0}, {handbook, 3, 1, 0}}},
	{31, "fay-hawser", scoring.TokenValid, []part{{skiff, 5, 0, 1}, {ferry, 4, 1, 0}}},
	{uidHealing, "gus-ensign", scoring.TokenValid, []part{{lantern, 5, 0, 0}, {canvas, 3, 0, 1}}},
	{52, "hal-fender", scoring.TokenValid, []part{{skiff, 3, 6, 0}}}, // too many open
	{uidNoToken, "ivy-gangway", scoring.TokenNone, nil},
	{68, "jo-davit", scoring.TokenValid, []part{{canvas, 4, 0, 4}}},                   // too many closed
	{75, "kit-oar", scoring.TokenValid, []part{{skiff, 2, 0, 0}, {lantern, 1, 0, 0}}}, // too few merged
	{83, "lou-pilot", scoring.TokenValid, []part{{ferry, 5, 1, 0}, {archive, 2, 0, 1}}},
	{90, "mo-rudder", scoring.TokenValid, []part{{lantern, 6, 0, 0}, {canvas, 2, 0, 0}}},
	{97, "nan-inlet", scoring.TokenValid, []part{{handbook, 4, 1, 1}}},
	{104, "oz-jetty", scoring.TokenValid, []part{{skiff, 4, 0, 0}, {canvas, 4, 1, 0}, {ferry, 3, 0, 0}}},
	{treasuryUID, "treasury", scoring.TokenValid, nil},
	{120, "pat-cargo", scoring.TokenValid, []part{{lantern, 4, 1, 2}}},
	{uidMaintainer, "quinn-beacon", scoring.TokenValid, []part{{skiff, 4, 0, 0}}},
	{147, "ray-anchor", scoring.TokenValid, []part{{canvas, 5, 0, 0}, {handbook, 1, 0, 0}}},
	{160, "sal-nettle", scoring.TokenValid, []part{{skiff, 1, 0, 3}}},
	{uidRefused, "tam-lantern", scoring.TokenRefused, nil},
	{199, "uma-brisk", scoring.TokenValid, []part{{ferry, 4, 0, 0}, {archive, 1, 1, 0}}},
	{231, "vic-steady", scoring.TokenValid, []part{{skiff, 6, 0, 0}, {lantern, 4, 0, 0}, {canvas, 2, 1, 0}}},
}
