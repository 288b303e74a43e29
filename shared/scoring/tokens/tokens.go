package tokens

import "slices"

// FiguresVersion is the version of methods, categories, weighting, totals and the
// shape of Figures. Figures are cached for weeks: a change to any of these must raise
// it, or old and new results mix in one round.
const FiguresVersion = 2

// Method is how a file is scored: the first row that fits in the table of
// docs/rules/scoring.md#method.
type Method string

// The methods.
const (
	MethodTreeDiff         Method = "tree-diff"
	MethodLineCount        Method = "line-count"
	MethodSkipped          Method = "skipped"
	MethodSkippedBinary    Method = "skipped-binary"
	MethodSkippedLarge     Method = "skipped-large"
	MethodSkippedNoGrammar Method = "skipped-unsupported"
	MethodSkippedNoBase    Method = "skipped-missing-base"
	MethodSkippedTimeout   Method = "skipped-isolation-timeout"
)

// Category is the kind of text that a file counts as: docs/rules/scoring.md#totals.
type Category string

// The categories.
const (
	CategorySource  Category = "source"
	CategoryTest    Category = "test"
	CategoryNonCode Category = "non-code"
)

// Breakdown has the eight sums of a tree diff. In FileFigures the scores include the
// weights of language and test; counts never do.
type Breakdown struct {
	StructuralAddedCount   int     `json:"structural_added_count"`
	StructuralAddedScore   float64 `json:"structural_added_score"`
	StructuralDeletedCount int     `json:"structural_deleted_count"`
	StructuralDeletedScore float64 `json:"structural_deleted_score"`
	LeafAddedCount         int     `json:"leaf_added_count"`
	LeafAddedScore         float64 `json:"leaf_added_score"`
	LeafDeletedCount       int     `json:"leaf_deleted_count"`
	LeafDeletedScore       float64 `json:"leaf_deleted_score"`
}

// FileFigures is the token scoring of one file.
type FileFigures struct {
	Filename string   `json:"filename"`
	Change   Change   `json:"change"`
	Method   Method   `json:"method"`
	Category Category `json:"category"`
	Test     bool     `json:"test,omitempty"`
	Score    float64  `json:"score"`
	Nodes    int      `json:"nodes"`
	Lines    int      `json:"lines"`
	// OutOfTime says that base or head took more than 2 s to parse and counts as
	// having no nodes: docs/rules/scoring.md#tree-diff.
	OutOfTime bool `json:"out_of_time,omitempty"`
	// Breakdown is nil for every method but the tree diff.
	Breakdown *Breakdown `json:"breakdown,omitempty"`
	// Largest are the node types that give most of the score, at most five. Their
	// scores include the weights of language and test.
	Largest []Contribution `json:"largest,omitempty"`
}

// Change is what a pull request does to a file, as the mirror says. No rule reads it:
// it is stored because a validator's database has it.
type Change struct {
	Status           string `json:"status"`
	PreviousFilename string `json:"previous_filename,omitempty"`
	Additions        int    `json:"additions"`
	Deletions        int    `json:"deletions"`
	Changes          int    `json:"changes"`
}

func changeOf(f *File) Change {
	return Change{
		Status:           f.Status,
		PreviousFilename: f.PreviousFilename,
		Additions:        f.Additions,
		Deletions:        f.Deletions,
		Changes:          f.Changes,
	}
}

// Figures is the token scoring of one pull request.
type Figures struct {
	Files            []FileFigures `json:"files,omitempty"`
	TotalScore       float64       `json:"total_score"`
	TokenScore       float64       `json:"token_score"`
	SourceTokenScore float64       `json:"source_token_score"`
	StructuralCount  int           `json:"structural_count"`
	StructuralScore  float64       `json:"structural_score"`
	LeafCount        int           `json:"leaf_count"`
	LeafScore        float64       `json:"leaf_score"`
	TotalNodesScored int           `json:"total_nodes_scored"`
}

// OutOfBudget says whether time or memory ran out at a file. Such figures depend on
// the machine, not on the files alone, so they are not cached.
func (t *Figures) OutOfBudget() bool {
	return t != nil && slices.ContainsFunc(t.Files, func(f FileFigures) bool {
		return f.OutOfTime || f.Method == MethodSkippedTimeout
	})
}
