package dashboard

import (
	"fmt"
	"html/template"
	"strconv"

	"mirrorfleet/producer/view"
)

// fall is a waterfall: a table of steps, with a bar beside each that leads from the score
// before the step to the score after it.
type fall struct {
	Name  string // says what it is of, to a screen reader
	Steps []fallStep
	// Factors says that some step has one: sums over several pull requests have none.
	Factors bool
	// Score and Paid are what it comes to; Paid is "" where nobody is paid for such scores.
	Score, Paid string
	// Share says which part of the slice that is; "" where it is not known.
	Share string
}

// fallStep is one row, as it is printed.
type fallStep struct {
	Name, Factor, Gave, Score, Reward string
	Bar                               template.HTML
	Kind                              string // good for a gain, bad for a loss
}

// The digits of a score, and of a share of the emission.
const (
	scoreDigits  = 4
	rewardDigits = 9
)

// fallOf prints the steps of a derivation.
func fallOf(name string, d view.Derivation) fall {
	f := fall{Name: name}
	low, high := 0.0, 0.0
	for _, s := range d.Waterfall {
		low, high = min(low, s.Score), max(high, s.Score)
	}
	before := 0.0
	for _, s := range d.Waterfall {
		step := fallStep{
			Name:  s.Name,
			Gave:  signed(s.Gave, scoreDigits),
			Score: decimals(s.Score, scoreDigits),
			Bar:   fallBar(before, s.Score, low, high),
		}
		if s.Factor != nil {
			f.Factors = true
			step.Factor = "× " + trimmed(*s.Factor)
		}
		if s.Reward != nil {
			step.Reward = signed(*s.Reward, rewardDigits)
		}
		switch {
		case s.Gave > 0:
			step.Kind = "good"
		case s.Gave < 0:
			step.Kind = "bad"
		}
		f.Steps = append(f.Steps, step)
		f.Score, before = step.Score, s.Score
	}
	if paid := d.Paid(); paid != nil {
		f.Paid = decimals(*paid, rewardDigits)
	}
	return f
}

// shared says which part of a side's slice its scores come to.
func (f fall) shared(side view.Side) fall {
	if side.Slice > 0 && side.All > 0 {
		f.Share = percent(side.Score/side.All) + " of the slice of " + decimals(side.Slice, rewardDigits)
	}
	return f
}

// fallBar draws one step, on the scale of all of them. Its figures stand beside it.
func fallBar(from, to, low, high float64) template.HTML {
	const (
		width, height = 100, 14
		thin          = 0.6 // of a step that changes nothing
	)
	scale := 0.0
	if high > low {
		scale = (width - thin) / (high - low)
	}
	at := func(x float64) float64 { return (x - low) * scale }
	d := &drawing{}
	fmt.Fprintf(d, `<svg class="fall" aria-hidden="true" viewBox="0 0 %d %d" preserveAspectRatio="none">`, width, height)
	d.line("axis", at(0), 0, at(0), height)
	class := "fill-muted"
	switch {
	case to > from:
		class = "fill-good"
	case to < from:
		class = "fill-bad"
	}
	left, right := min(at(from), at(to)), max(at(from), at(to))
	d.rect(class, left, 3, max(right-left, thin), height-6, "")
	return d.html()
}

// trimmed writes a factor without the zeros at its end.
func trimmed(x float64) string {
	return strconv.FormatFloat(x, 'g', 9, 64)
}
