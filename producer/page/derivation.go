package page

import (
	"fmt"
	"strings"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/terminal"
)

// printFormula prints a figure with the formula that gives it, its numbers in place.
func printFormula(p *page, indent int, f view.Formula) {
	note := ""
	if f.Note != "" {
		note = ": " + f.Note
	}
	p.textf(indent, "%s %s = %s%s", f.Name, f.Shown, f.Formula, note)
}

func printFormulas(p *page, indent int, list []view.Formula) {
	for _, f := range list {
		printFormula(p, indent, f)
	}
}

// gatesText prints gates in a sentence. One that is not met stands out by its words.
func gatesText(list []view.Requirement) string {
	texts := make([]string, len(list))
	for i, r := range list {
		texts[i] = fmt.Sprintf("%s %s (required: %s)", r.Name, r.Value, r.Required)
		if !r.Met {
			texts[i] += " NOT MET"
		}
	}
	return strings.Join(texts, "; ")
}

const waterfallRow = "  %-26s %8s %13s %12s %14s"

// printWaterfall prints what each step has given or cost, in score and in the end in reward.
func printWaterfall(p *page, title string, steps []view.Step) {
	if len(steps) == 0 {
		return
	}
	p.painted(terminal.Head, func() { p.linef(waterfallRow, title, "FACTOR", "GAVE", "SCORE", "REWARD") })
	rewards := 0.0
	for _, s := range steps {
		factor, reward := "", ""
		if s.Factor != nil {
			factor = "x " + brief(*s.Factor)
		}
		if s.Reward != nil {
			rewards += *s.Reward
			reward = fmt.Sprintf("%+.9f", *s.Reward)
		}
		p.linef(waterfallRow, s.Name, factor, fmt.Sprintf("%+.4f", s.Gave), fmt.Sprintf("%.4f", s.Score), reward)
	}
	last := steps[len(steps)-1]
	if last.Reward != nil {
		p.linef(waterfallRow, "in the end", "", "", fmt.Sprintf("%.4f", last.Score), fmt.Sprintf("%.9f", rewards))
	}
}
