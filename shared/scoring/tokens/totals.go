package tokens

import (
	"math"

	"mirrorfleet/shared/scoring/python"
)

// The numbers of the base score: docs/rules/scoring.md#totals.
const (
	MaxBase          = 25   // the limit that the source token score alone approaches
	MaxBonus         = 5    // the maximum that the total score adds
	ScoreOfFullBonus = 1500 // the total score from which the bonus is full
)

// The rules fix the order of every floating-point operation. A product is
// converted to float64 before it is added, so that no compiler fuses the two
// into one operation with one rounding.

// times multiplies the scores by a weight; counts never carry one.
func (b *Breakdown) times(weight float64) Breakdown {
	w := *b
	w.StructuralAddedScore = float64(b.StructuralAddedScore * weight)
	w.StructuralDeletedScore = float64(b.StructuralDeletedScore * weight)
	w.LeafAddedScore = float64(b.LeafAddedScore * weight)
	w.LeafDeletedScore = float64(b.LeafDeletedScore * weight)
	return w
}

func (b *Breakdown) add(other *Breakdown) {
	b.StructuralAddedCount += other.StructuralAddedCount
	b.StructuralAddedScore += other.StructuralAddedScore
	b.StructuralDeletedCount += other.StructuralDeletedCount
	b.StructuralDeletedScore += other.StructuralDeletedScore
	b.LeafAddedCount += other.LeafAddedCount
	b.LeafAddedScore += other.LeafAddedScore
	b.LeafDeletedCount += other.LeafDeletedCount
	b.LeafDeletedScore += other.LeafDeletedScore
}

// Score is the sum of the four scores, in the order of
// docs/rules/scoring.md#order-of-sums.
func (b *Breakdown) Score() float64 {
	return b.StructuralAddedScore + b.StructuralDeletedScore + b.LeafAddedScore + b.LeafDeletedScore
}

// StructuralCount is the number of structural nodes added or deleted.
func (b *Breakdown) StructuralCount() int { return b.StructuralAddedCount + b.StructuralDeletedCount }

// LeafCount is the number of leaves added or deleted.
func (b *Breakdown) LeafCount() int { return b.LeafAddedCount + b.LeafDeletedCount }

// Totals adds up the figures of a pull request's files, in their order:
// docs/rules/scoring.md#totals. Scores are added over the files first and over the four
// kinds last.
func Totals(files []FileFigures) Figures {
	totals := Figures{Files: files}
	var all, source Breakdown
	for i := range files {
		totals.TotalScore += files[i].Score
		if files[i].Breakdown == nil {
			continue
		}
		all.add(files[i].Breakdown)
		if files[i].Category == CategorySource {
			source.add(files[i].Breakdown)
		}
	}
	totals.TokenScore = all.Score()
	totals.SourceTokenScore = source.Score()
	totals.StructuralCount = all.StructuralCount()
	totals.StructuralScore = all.StructuralAddedScore + all.StructuralDeletedScore
	totals.LeafCount = all.LeafCount()
	totals.LeafScore = all.LeafAddedScore + all.LeafDeletedScore
	totals.TotalNodesScored = totals.StructuralCount + totals.LeafCount
	return totals
}

// BaseScore is the base score of a pull request by docs/rules/scoring.md#totals;
// scale is the repository's src_tok_saturation_scale.
func BaseScore(t *Figures, scale float64) float64 {
	return python.Round2(Saturated(t.SourceTokenScore, scale) + Bonus(t.TotalScore))
}

// Saturated is the part of the base score that the source files give. It is not rounded.
func Saturated(source, scale float64) float64 {
	return float64(MaxBase * (1 - math.Exp(-source/scale)))
}

// Bonus is the part of the base score that all files give.
func Bonus(total float64) float64 {
	return python.Round2(min(1, total/ScoreOfFullBonus) * MaxBonus)
}
