package preview

import (
	"cmp"
	"slices"

	"mirrorfleet/shared/gitdiff"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
	"mirrorfleet/shared/scoring/tokens"
)

// Preview is what `producer preview` prints.
type Preview struct {
	Repository string `json:"repository"`
	Commits    Range  `json:"commits"`
	// Groups are the files by method and language, the highest score first.
	Groups []Group `json:"groups"`
	// Tokens are nil for a change without files.
	Tokens *tokens.Figures `json:"tokens,omitempty"`
	// Lacks is why the figures do not follow from the files alone: time or memory ran out.
	Lacks  string `json:"lacks,omitempty"`
	Scored bool   `json:"scored"`

	BaseScore float64        `json:"base_score"`
	Base      scoring.Reason `json:"base"`
	// Formula is how the base score comes about from tokens; nil without files.
	Formula *Formula `json:"formula,omitempty"`

	Label           *string                `json:"label"`
	LabelMultiplier float64                `json:"label_multiplier"`
	Labels          []scoring.LabelReason  `json:"labels,omitempty"`
	IssueMultiplier float64                `json:"issue_multiplier"`
	Issue           *scoring.IssueReason   `json:"issue,omitempty"`
	LinkedIssues    []scoring.LinkedReason `json:"linked_issues,omitempty"`
	// Earned is what it would earn once merged, with every unknown factor at 1.
	Earned     float64                  `json:"earned_if_merged"`
	Collateral float64                  `json:"collateral_while_open"`
	Rates      scoring.CollateralReason `json:"collateral"`

	Gates []Gate `json:"gates"`
}

// Range is what the pull request would be made of.
type Range struct {
	Base      string `json:"base"`
	Head      string `json:"head"`
	MergeBase string `json:"merge_base"`
	Count     int    `json:"count"`
}

// Group are the files that one method scores in one language. Language is the extension
// where the method needs no language; "" for a name without one.
type Group struct {
	Method   tokens.Method `json:"method"`
	Language string        `json:"language"`
	// Unloadable says that the validator cannot load the language, so that its files
	// have no nodes: docs/rules/grammars.md#c.
	Unloadable bool    `json:"unloadable,omitempty"`
	Files      int     `json:"files"`
	Lines      int     `json:"lines"`
	Nodes      int     `json:"nodes"`
	Score      float64 `json:"score"`
}

// Formula has the numbers of docs/rules/scoring.md#totals.
type Formula struct {
	SourceTokenScore float64 `json:"source_token_score"`
	Scale            float64 `json:"src_tok_saturation_scale"`
	Base             float64 `json:"base"`
	TotalScore       float64 `json:"total_score"`
	Bonus            float64 `json:"bonus"`
	// Score is base + bonus, rounded.
	Score float64 `json:"score"`
}

// Assumed is what the caller assumes of the pull request that does not exist yet.
type Assumed struct {
	// Labels are set by a maintainer.
	Labels []string
	// Issue is StandardIssue or MaintainerIssue for one valid linked issue; "" for none.
	Issue string
}

// The linked issues that may be assumed: by somebody who is not a maintainer, and by a
// maintainer.
const (
	StandardIssue   = "standard"
	MaintainerIssue = "maintainer"
)

// Input is what a preview is made of.
type Input struct {
	Repository *input.Repository
	Weights    *tokens.Weights
	Range      gitdiff.Range
	// Foreign are files with a text that is not UTF-8.
	Foreign []string
	// Figures are nil for a change without files.
	Figures *tokens.Figures
	Lacks   string
	Assumed Assumed
}

// Of makes the preview.
func Of(in Input) Preview {
	repo := in.Repository
	f := scoring.Foresee(in.Assumed.pullRequest(repo.Name), repo, in.Figures)
	p := Preview{
		Repository: repo.Name,
		Commits: Range{
			Base:      in.Range.Base,
			Head:      in.Range.Head,
			MergeBase: in.Range.MergeBase,
			Count:     in.Range.Commits,
		},
		Groups:          []Group{},
		Tokens:          in.Figures,
		Lacks:           in.Lacks,
		Scored:          f.Scored,
		BaseScore:       f.BaseScore,
		Base:            f.Reasons.Base,
		Label:           f.Label,
		LabelMultiplier: f.LabelMultiplier,
		Labels:          f.Reasons.Labels,
		IssueMultiplier: f.IssueMultiplier,
		Issue:           f.Reasons.Issue,
		LinkedIssues:    f.Reasons.LinkedIssues,
		Earned:          f.Earned,
		Collateral:      f.Collateral,
		Rates:           f.CollateralReason,
	}
	if in.Figures != nil {
		p.Groups = groupsOf(in.Figures.Files, in.Weights)
		p.Formula = formulaOf(in.Figures, repo.Scoring.SrcTokSaturationScale)
	}
	p.Gates = gates(&p, &in)
	return p
}

// pullRequest is a pull request of which only the assumptions are known.
func (a *Assumed) pullRequest(repository string) scoring.PullRequest {
	pr := scoring.PullRequest{Repository: repository, AuthorID: "the author"}
	for _, name := range a.Labels {
		pr.Labels = append(pr.Labels, scoring.Label{Name: name, ActorAssociation: "COLLABORATOR"})
	}
	if a.Issue != "" {
		issue := scoring.LinkedIssue{Number: 1, State: scoring.Open, AuthorID: new("somebody else")}
		if a.Issue == MaintainerIssue {
			issue.AuthorAssociation = "OWNER"
		}
		pr.LinkedIssues = []scoring.LinkedIssue{issue}
	}
	return pr
}

func formulaOf(f *tokens.Figures, scale float64) *Formula {
	base, bonus := tokens.Saturated(f.SourceTokenScore, scale), tokens.Bonus(f.TotalScore)
	return &Formula{
		SourceTokenScore: f.SourceTokenScore,
		Scale:            scale,
		Base:             base,
		TotalScore:       f.TotalScore,
		Bonus:            bonus,
		Score:            tokens.BaseScore(f, scale),
	}
}

// groupsOf adds up the files by method and language.
func groupsOf(files []tokens.FileFigures, w *tokens.Weights) []Group {
	var groups []Group
	at := map[Group]int{}
	for i := range files {
		f := &files[i]
		key := Group{Method: f.Method, Language: tokens.Extension(f.Filename)}
		if language := w.Language(key.Language); language != "" && f.Method != tokens.MethodLineCount {
			key.Language, key.Unloadable = language, !w.Loads(language)
		}
		n, known := at[key]
		if !known {
			n = len(groups)
			at[key] = n
			groups = append(groups, key)
		}
		g := &groups[n]
		g.Files++
		g.Lines += f.Lines
		g.Nodes += f.Nodes
		g.Score += f.Score
	}
	slices.SortStableFunc(groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Language, b.Language))
	})
	return groups
}
