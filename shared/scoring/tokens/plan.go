package tokens

// The numbers of docs/rules/scoring.md#method and
// docs/rules/scoring.md#extensions-and-test-files.
const (
	testWeight     = 0.05      // the weight of a test file
	maxLinesScored = 300       // changed lines that count in a line-scored file
	maxTextBytes   = 1_000_000 // bytes of UTF-8 in a text that is parsed
)

// FilePlan is one file with its method. Its figures are complete unless the method is
// the tree diff: then Finish adds them.
type FilePlan struct {
	Figures FileFigures
	// Language, Base and Head are set for a tree diff alone. An absent text is "",
	// which has no nodes.
	Language   string
	Base, Head string
	// weight is the weight of the extension times the one of a test.
	weight float64
}

// PlanFiles decides every file's method, in order. Texts belong to a path: when a
// path is repeated, the texts of its last entry count for all, as in the validator,
// which keeps them in a dictionary by path.
func PlanFiles(files []File, w *Weights) []FilePlan {
	last := make(map[string]int, len(files))
	for i := range files {
		last[files[i].Filename] = i
	}
	plans := make([]FilePlan, len(files))
	for i := range files {
		texts := &files[last[files[i].Filename]]
		plans[i] = planFile(&files[i], texts.Base, texts.Head, w)
	}
	return plans
}

// planFile applies the first row that fits in the table of
// docs/rules/scoring.md#method. The cases are in the table's order.
func planFile(f *File, base, head *string, w *Weights) FilePlan {
	ext, test := Extension(f.Filename), IsTestFile(f.Filename)
	plan := FilePlan{Figures: FileFigures{
		Filename: f.Filename,
		Change:   changeOf(f),
		Test:     test,
		Lines:    f.Changes,
	}}
	language := w.Language(ext)
	switch {
	case f.Status == "removed":
		plan.Figures.Method, plan.Figures.Lines = MethodSkipped, f.Deletions
	case IsLineScored(ext):
		plan.Figures.Method = MethodLineCount
		plan.Figures.Nodes = min(f.Changes, maxLinesScored)
		plan.Figures.Score = float64(float64(w.weight(ext, lineWeight)*float64(plan.Figures.Nodes)) * weightOf(test))
	case head == nil:
		plan.Figures.Method = MethodSkippedBinary
	case len(*head) > maxTextBytes || base != nil && len(*base) > maxTextBytes:
		plan.Figures.Method = MethodSkippedLarge
	case language == "":
		plan.Figures.Method = MethodSkippedNoGrammar
	case f.Status != "added" && base == nil:
		plan.Figures.Method = MethodSkippedNoBase
	default:
		plan.Figures.Method = MethodTreeDiff
		plan.Figures.Test = test || HasInlineTests(ext, *head)
		plan.Language, plan.Head = language, *head
		if base != nil {
			plan.Base = *base
		}
		plan.weight = w.weight(ext, 1) * weightOf(plan.Figures.Test)
	}
	plan.Figures.Category = categoryOf(plan.Figures)
	return plan
}

func weightOf(test bool) float64 {
	if test {
		return testWeight
	}
	return 1
}

// categoryOf applies the first sentence of docs/rules/scoring.md#totals.
func categoryOf(f FileFigures) Category {
	switch {
	case f.Test:
		return CategoryTest
	case f.Method == MethodTreeDiff:
		return CategorySource
	}
	return CategoryNonCode
}

// Finish returns the figures of the file. diff is the tree diff of its texts without
// weights of language and test; it is ignored for any other method.
func (p *FilePlan) Finish(diff Diff) FileFigures {
	figures := p.Figures
	if figures.Method != MethodTreeDiff {
		return figures
	}
	weighted := diff.times(p.weight)
	figures.Breakdown = &weighted
	figures.Largest = times(diff.Largest, p.weight)
	figures.OutOfTime = diff.OutOfTime
	figures.Score = weighted.Score()
	figures.Nodes = weighted.StructuralCount() + weighted.LeafCount()
	return figures
}

// TimedOut is the token scoring of a pull request whose process ran out of its budget
// or died: docs/rules/scoring.md#budget. All scores are 0, and each file says why.
func TimedOut(files []File) Figures {
	figures := make([]FileFigures, len(files))
	for i := range files {
		figures[i] = FileFigures{
			Filename: files[i].Filename,
			Change:   changeOf(&files[i]),
			Method:   MethodSkippedTimeout,
			Category: CategoryNonCode,
			Lines:    files[i].Changes,
		}
	}
	return Figures{Files: figures}
}
