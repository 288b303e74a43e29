package input_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/scoring/input"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
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

func TestRegistryDefaults(t *testing.T) {
	t.Parallel()
	want := input.Repository{
		Name: "a/b", EmissionShare: 0.5, IssueDiscoveryShare: 0.5, DefaultLabelMultiplier: 1,
		Eligibility: input.Eligibility{
			MinValidMergedPRs: 3, MinCredibility: 0.8, ExcessivePRPenaltyBaseThreshold: 2, OpenPRThresholdTokenScore: 300,
			MaxOpenPRThreshold: 30, MinValidSolvedIssues: 3, MinIssueCredibility: 0.8, MinTokenScoreForValidIssue: 5,
			OpenIssueSpamBaseThreshold: 2, OpenIssueSpamTokenScorePerSlot: 300, MaxOpenIssueThreshold: 30,
		},
		Scoring: input.Scoring{
			PRLookbackDays: 30, OpenPRCollateralPercent: 0.2, ReviewPenaltyRate: 0.15, StandardIssueMultiplier: 1.33,
			MaintainerIssueMultiplier: 1.66, SrcTokSaturationScale: 58,
			TimeDecay: input.TimeDecay{GracePeriodHours: 12, SigmoidMidpointDays: 10, SigmoidSteepness: 0.4, MinMultiplier: 0.05},
		},
	}
	for name, settings := range map[string]string{
		"nothing set": ``,
		"as texts":    `"scoring": {"src_tok_saturation_scale": "5_8", "pr_lookback_days": " 3_0 ", "time_decay": {"sigmoid_midpoint_days": "1_0.0_0"}}`,
		"empty":       `"eligibility": {}, "scoring": {"time_decay": {}}`,
		"null groups": `"eligibility": null, "scoring": null, "label_multipliers": null, "fixed_base_score": null, "additional_acceptable_branches": null, "trusted_label_pipeline": null`,
		"null values": `"eligibility": {"min_credibility": null, "min_valid_merged_prs": null}, "scoring": {"pr_lookback_days": null, "time_decay": {"min_multiplier": null}}`,
		"null decay":  `"scoring": {"time_decay": null}`,
	} {
		if diff := cmp.Diff(want, *repository(t, settings), cmpopts.IgnoreUnexported(want)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRegistryReadsEverySetting(t *testing.T) {
	t.Parallel()
	fixed := 1.5
	want := input.Repository{
		Name: "a/b", EmissionShare: 0.25, IssueDiscoveryShare: 0.125, MaintainerCut: 0.5,
		AdditionalBranches: []string{"*-dev"}, TrustedLabelPipeline: true,
		LabelMultipliers:       []input.LabelMultiplier{{Pattern: "kind/*", Multiplier: 2}, {Pattern: "a", Multiplier: -1}},
		DefaultLabelMultiplier: 0.75, FixedBaseScore: &fixed,
		Eligibility: input.Eligibility{
			MinValidMergedPRs: 1, MinCredibility: 0.1, ExcessivePRPenaltyBaseThreshold: 2, OpenPRThresholdTokenScore: 3,
			MaxOpenPRThreshold: 4, MinValidSolvedIssues: 5, MinIssueCredibility: 0.6, MinTokenScoreForValidIssue: 7,
			OpenIssueSpamBaseThreshold: 8, OpenIssueSpamTokenScorePerSlot: 9, MaxOpenIssueThreshold: 10,
		},
		Scoring: input.Scoring{
			PRLookbackDays: 11, OpenPRCollateralPercent: 0.12, ReviewPenaltyRate: 0.13, StandardIssueMultiplier: 1.4,
			MaintainerIssueMultiplier: 1.5, SrcTokSaturationScale: 16,
			TimeDecay: input.TimeDecay{GracePeriodHours: 17, SigmoidMidpointDays: 18.5, SigmoidSteepness: 1.9, MinMultiplier: 0.2},
		},
	}
	// Fractions of whole numbers are cut off, and numbers may be texts, as in
	// the validator.
	reg := registry(t, `{"A/b": {"emission_share": 0.25, "issue_discovery_share": "0.125", "maintainer_cut": 0.9,
		"additional_acceptable_branches": ["*-dev"], "trusted_label_pipeline": true, "label_multipliers": {"Kind/*": 2, "a": "-1"},
		"default_label_multiplier": 0.75, "fixed_base_score": 1.5, "weight": 7,
		"eligibility": {"min_valid_merged_prs": 1.9, "min_credibility": 0.1, "excessive_pr_penalty_base_threshold": "2",
			"open_pr_threshold_token_score": 3, "max_open_pr_threshold": 4, "min_valid_solved_issues": 5, "min_issue_credibility": 0.6,
			"min_token_score_for_valid_issue": 7, "open_issue_spam_base_threshold": 8, "open_issue_spam_token_score_per_slot": 9,
			"max_open_issue_threshold": 10},
		"scoring": {"pr_lookback_days": 11, "open_pr_collateral_percent": 0.12, "review_penalty_rate": 0.13,
			"standard_issue_multiplier": 1.4, "maintainer_issue_multiplier": 1.5, "src_tok_saturation_scale": 16,
			"time_decay": {"grace_period_hours": 17, "sigmoid_midpoint_days": 18.5, "sigmoid_steepness": 1.9, "min_multiplier": 0.2}}}}`)
	if diff := cmp.Diff(want, reg.Repositories[0], cmpopts.IgnoreUnexported(want)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A/b: weight"}, reg.Ignored); diff != "" {
		t.Errorf("Ignored, -want +got:\n%s", diff)
	}
}

// TestRegistryRanges tries each bound of the table in
// docs/rules/scoring.md#registry: the bound itself, and just beyond it.
func TestRegistryRanges(t *testing.T) {
	t.Parallel()
	const none = "none"
	tests := []struct{ field, low, below, high, above string }{
		{"emission_share", "0", "-0.001", "1", "1.001"},
		{"emission_share", "1e-100", "9e-101", "1", "1.001"},
		{"default_label_multiplier", "-1e100", "-1.1e100", "1e100", "1.1e100"},
		{"issue_discovery_share", "0", "-0.001", "1", "1.001"},
		{"maintainer_cut", "0", "-0.001", "1000000", none},
		{"eligibility.min_valid_merged_prs", "0", "-1", "1000000", none},
		{"eligibility.min_credibility", "0", "-0.001", "1", "1.001"},
		{"eligibility.excessive_pr_penalty_base_threshold", "0", "-1", "1000000", none},
		{"eligibility.open_pr_threshold_token_score", "0.001", "0", "1e300", none},
		{"eligibility.max_open_pr_threshold", "0", "-1", "1e300", none},
		{"eligibility.min_valid_solved_issues", "0", "-1", "1000000", none},
		{"eligibility.min_issue_credibility", "0", "-0.001", "1", "1.001"},
		{"eligibility.min_token_score_for_valid_issue", "0", "-0.001", "1000000", none},
		{"eligibility.open_issue_spam_base_threshold", "0", "-1", "1000000", none},
		{"eligibility.open_issue_spam_token_score_per_slot", "0.001", "0", "1000000", none},
		{"eligibility.max_open_issue_threshold", "0", "-1", "1000000", none},
		{"scoring.pr_lookback_days", "1", "0.9", "90", "91"},
		{"scoring.open_pr_collateral_percent", "0", "-0.001", "1", "1.001"},
		{"scoring.review_penalty_rate", "0.001", "0", "1", "1.001"},
		{"scoring.standard_issue_multiplier", "1", "0.999", "5", "5.001"},
		{"scoring.maintainer_issue_multiplier", "1", "0.999", "5", "5.001"},
		{"scoring.src_tok_saturation_scale", "10", "9.999", "500", "500.001"},
		{"scoring.time_decay.grace_period_hours", "0", "-1", "168", "169"},
		{"scoring.time_decay.sigmoid_midpoint_days", "1", "0.999", "90", "90.001"},
		{"scoring.time_decay.sigmoid_steepness", "0.01", "0.009", "5", "5.001"},
		{"scoring.time_decay.min_multiplier", "0", "-0.001", "1", "1.001"},
	}
	for _, tt := range tests {
		for _, value := range []string{tt.low, tt.high} {
			if _, err := input.ParseRegistry(with(tt.field, value)); err != nil {
				t.Errorf("%s = %s: got %v, want it accepted", tt.field, value, err)
			}
		}
		for _, value := range []string{tt.below, tt.above, "true", `"x"`, "[]", "{}", "1e999", `"nan"`, `"inf"`} {
			if value != none {
				wantRefused(t, with(tt.field, value), "a/B", tt.field, value, "want a number")
			}
		}
	}
}

// with is a registry of one repository in which one setting has a value.
func with(field, value string) []byte {
	parts := strings.Split(field, ".")
	text := value
	for _, part := range slices.Backward(parts) {
		text = fmt.Sprintf(`{%q: %s}`, part, text)
	}
	if field != "emission_share" {
		text = `{"emission_share": 0.5, ` + text[1:]
	}
	return []byte(`{"a/B": ` + text + `}`)
}

func wantRefused(t *testing.T, data []byte, parts ...string) {
	t.Helper()
	_, err := input.ParseRegistry(data)
	if err == nil {
		t.Errorf("%s: got accepted, want refused", data)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: got error %q, want it to name %q", data, err, part)
		}
	}
}

func TestRegistryRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		parts      []string
	}{
		{"not JSON", `{"a/b": `, []string{"registry"}},
		{"a list", `[]`, []string{"registry"}},
		{"no share", `{"a/b": {}}`, []string{"a/b", "emission_share", "missing", "[0, 1]"}},
		{"null share", `{"a/b": {"emission_share": null}}`, []string{"a/b", "emission_share", "null"}},
		{"no object", `{"a/b": 3}`, []string{"a/b", "object"}},
		{"name without owner", `{"b": {"emission_share": 0}}`, []string{"owner/repo"}},
		{"name without repository", `{"b/": {"emission_share": 0}}`, []string{"owner/repo"}},
		{"name with a space", `{"a b/c": {"emission_share": 0}}`, []string{"owner/repo"}},
		{"name with a query", `{"a/c?x": {"emission_share": 0}}`, []string{"owner/repo"}},
		{"name of an odd character", `{"a/c\u007f": {"emission_share": 0}}`, []string{"owner/repo"}},
		{"underscores anywhere", `{"a/b": {"emission_share": "_1"}}`, []string{"emission_share"}},
		{"name of a path", `{"a/../b": {"emission_share": 0}}`, []string{"owner/repo"}},
		{"repeated without case", `{"a/b": {"emission_share": 0}, "A/B": {"emission_share": 0}}`, []string{"A/B", "once"}},
		{"too much", `{"a/b": {"emission_share": 0.6}, "a/c": {"emission_share": 0.400000002}}`, []string{"emission_share", "1.000000002", "at most 1"}},
		{"unknown in eligibility", `{"a/b": {"emission_share": 0, "eligibility": {"min_prs": 1}}}`, []string{"a/b", "eligibility.min_prs", "no such key"}},
		{"unknown in scoring", `{"a/b": {"emission_share": 0, "scoring": {"decay": 1}}}`, []string{"a/b", "scoring.decay"}},
		{"unknown in decay", `{"a/b": {"emission_share": 0, "scoring": {"time_decay": {"x": 1}}}}`, []string{"a/b", "scoring.time_decay.x"}},
		{"repeated setting", `{"a/b": {"emission_share": 0, "emission_share": 1}}`, []string{"a/b", "emission_share"}},
		{"whole number as a fraction's text", `{"a/b": {"emission_share": 0, "eligibility": {"min_valid_merged_prs": "3.0"}}}`, []string{"min_valid_merged_prs"}},
		{"branches no list", `{"a/b": {"emission_share": 0, "additional_acceptable_branches": "dev"}}`, []string{"additional_acceptable_branches", "dev", "list"}},
		{"branch no text", `{"a/b": {"emission_share": 0, "additional_acceptable_branches": ["dev", null]}}`, []string{"additional_acceptable_branches"}},
		{"pipeline a text", `{"a/b": {"emission_share": 0, "trusted_label_pipeline": "false"}}`, []string{"trusted_label_pipeline", "true or false"}},
		{"label no number", `{"a/b": {"emission_share": 0, "label_multipliers": {"bug": true}}}`, []string{"label_multipliers.bug", "true", "a number"}},
		{"label that overflows", `{"a/b": {"emission_share": 0, "label_multipliers": {"bug": 1e101}}}`, []string{"a/b", "label_multipliers.bug", "1e101", "[-1e+100, 1e+100]"}},
		{"labels no object", `{"a/b": {"emission_share": 0, "label_multipliers": []}}`, []string{"label_multipliers", "object"}},
		{"default label boolean", `{"a/b": {"emission_share": 0, "default_label_multiplier": true}}`, []string{"default_label_multiplier"}},
		{"fixed boolean", `{"a/b": {"emission_share": 0, "fixed_base_score": false}}`, []string{"fixed_base_score", "null for none"}},
		{"fixed that overflows", `{"a/b": {"emission_share": 0, "fixed_base_score": -1e308}}`, []string{"a/b", "fixed_base_score", "-1e308", "[-1e+100, 1e+100]", "null for none"}},
		{"fixed as a text", `{"a/b": {"emission_share": 0, "fixed_base_score": "1"}}`, []string{"fixed_base_score"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantRefused(t, []byte(tt.text), tt.parts...)
		})
	}
}

// Another file than it should be may be the one of the miners' access tokens.
func TestARegistryThatIsNoneIsNotShown(t *testing.T) {
	t.Parallel()
	const token = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
	for _, text := range []string{`[{"pat": "` + token + `"}]`, `"` + token + `"`, token, `{"a/b": "` + token + `"}`} {
		if _, err := input.ParseRegistry([]byte(text)); err == nil || strings.Contains(err.Error(), token[:12]) {
			t.Errorf("%s: %v, want it refused and not shown", text, err)
		}
	}
}

// A mistake costs one run, not one run for each: everything wrong is told.
func TestRegistryTellsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := input.ParseRegistry([]byte(`{"a/b": {"emission_share": 2, "scoring": {"x": 1, "pr_lookback_days": 0}}, "c": {}}`))
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		t.Fatalf("got %v, want joined errors", err)
	}
	var got []string
	for _, err := range joined.Unwrap() {
		var one *input.RegistryError
		if !errors.As(err, &one) {
			t.Fatalf("got %T, want *RegistryError", err)
		}
		got = append(got, one.Repository+" "+one.Field)
	}
	want := []string{"a/b emission_share", "a/b scoring.pr_lookback_days", "a/b scoring.x", "c ", "c emission_share"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRegistryKeepsTheFilesOrder(t *testing.T) {
	t.Parallel()
	reg := registry(t, `{"z/z": {"emission_share": 0.3}, "A/a": {"emission_share": 0.3}, "m/m": {"emission_share": 0.4000000001}}`)
	var got []string
	for _, repo := range reg.Repositories {
		got = append(got, repo.Name)
	}
	if diff := cmp.Diff([]string{"z/z", "a/a", "m/m"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if repo, found := reg.Repository("a/A"); !found || repo.Name != "a/a" {
		t.Errorf("Repository(a/A): got %v, %v", repo, found)
	}
	if _, found := reg.Repository("a/b"); found {
		t.Error("Repository(a/b): got one, want none")
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	asOf := time.Date(2026, 3, 31, 12, 0, 0, 5000, time.UTC)
	reg := registry(t, `{"a/b": {"emission_share": 0}, "a/c": {"emission_share": 0, "scoring": {"pr_lookback_days": 90}}}`)
	want := map[string]time.Time{"a/b": asOf.AddDate(0, 0, -30), "a/c": asOf.AddDate(0, 0, -90)}
	if diff := cmp.Diff(want, reg.Windows(asOf)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// FuzzRegistry holds that a registry never panics and that one that is
// accepted has every value in its range.
func FuzzRegistry(f *testing.F) {
	f.Add([]byte(`{"a/b": {"emission_share": 0.5, "scoring": {"time_decay": {"min_multiplier": 0.1}}, "label_multipliers": {"*": 1}}}`))
	f.Add([]byte(`{"a/b": {"emission_share": "1_0", "eligibility": {"min_credibility": "1e-3"}, "fixed_base_score": 1e5}}`))
	f.Add(with("scoring.time_decay.sigmoid_steepness", "5"))
	f.Fuzz(func(t *testing.T, data []byte) {
		reg, err := input.ParseRegistry(data)
		if err != nil {
			return
		}
		sum := 0.0
		for _, r := range reg.Repositories {
			e := r.Eligibility
			s := r.Scoring
			d := r.Scoring.TimeDecay
			sum += r.EmissionShare
			in := func(x, low, high float64) bool { return x >= low && x <= high }
			ok := in(r.EmissionShare, 0, 1) && in(r.IssueDiscoveryShare, 0, 1) && in(r.MaintainerCut, 0, 0.5) &&
				in(e.MinCredibility, 0, 1) && in(e.MinIssueCredibility, 0, 1) && e.MinValidMergedPRs >= 0 &&
				e.ExcessivePRPenaltyBaseThreshold >= 0 && e.OpenPRThresholdTokenScore > 0 && e.MaxOpenPRThreshold >= 0 &&
				e.MinValidSolvedIssues >= 0 && e.MinTokenScoreForValidIssue >= 0 && e.OpenIssueSpamBaseThreshold >= 0 &&
				e.OpenIssueSpamTokenScorePerSlot > 0 && e.MaxOpenIssueThreshold >= 0 && s.PRLookbackDays >= 1 && s.PRLookbackDays <= 90 &&
				in(s.OpenPRCollateralPercent, 0, 1) && s.ReviewPenaltyRate > 0 && s.ReviewPenaltyRate <= 1 &&
				in(s.StandardIssueMultiplier, 1, 5) && in(s.MaintainerIssueMultiplier, 1, 5) && in(s.SrcTokSaturationScale, 10, 500) &&
				d.GracePeriodHours >= 0 && d.GracePeriodHours <= 168 && in(d.SigmoidMidpointDays, 1, 90) &&
				in(d.SigmoidSteepness, 0.01, 5) && in(d.MinMultiplier, 0, 1) && !math.IsInf(r.DefaultLabelMultiplier, 0)
			if !ok {
				t.Errorf("accepted, but out of range: %+v", r)
			}
		}
		if sum > 1+1e-9 {
			t.Errorf("accepted, but the shares add up to %v", sum)
		}
	})
}
