package page

import (
	"fmt"
	"io"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/bounded"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/scoring/shadow"
	"mirrorfleet/shared/terminal"
)

// What a page shows of one miner: the first causes and figures, each shortened. --json has all.
const maxCauses, maxCause = 6, 160

// verdictText says what a verdict means.
func verdictText(v shadow.Verdict) string {
	switch v {
	case shadow.Equal:
		return "to the last bit"
	case shadow.Time:
		return "equal once scored at the validator's instants"
	case shadow.Inputs:
		return "equal once our rules are given the validator's inputs"
	case shadow.Others:
		return "likewise, and only inputs of others or of the whole round differ"
	case shadow.Rule:
		return "from the same inputs, another result"
	case shadow.OursAlone:
		return "the validator does not have the miner"
	case shadow.TheirAlone:
		return "our round does not have the miner"
	}
	return ""
}

// Shadow prints how a validator's own rounds compare with ours: for each record the counts, then
// the miners that are not equal, or all of them.
func Shadow(all bool) func(io.Writer, view.Shadow) error {
	return func(w io.Writer, s view.Shadow) error {
		p := newPage(w)
		for i := range s.Records {
			if i > 0 {
				p.blank()
			}
			printShadowed(p, &s.Records[i], all)
		}
		return p.writeTo(w)
	}
}

func printShadowed(p *page, r *view.Shadowed, all bool) {
	if r.Error != "" {
		p.headingf("%s", r.File)
		p.painted(terminal.Warn, func() { p.textf(0, "NOT COMPARED: %s", r.Error) })
		return
	}
	p.titlef("Round "+r.Round+" beside a validator's own", fmt.Sprintf("as of %s, revision %d", r.AsOf, r.Revision))
	p.textf(0, "the validator (%s) scored from %s to %s", r.Validator, r.Began, r.Ended)
	p.textf(0, "%s", r.File)
	p.blank()
	for _, c := range r.Verdicts {
		colour := terminal.Good
		if c.Verdict == shadow.Rule || c.Verdict == shadow.OursAlone || c.Verdict == shadow.TheirAlone {
			colour = terminal.Warn
		}
		p.painted(colour, func() { p.hangf(fmt.Sprintf("%6d  %-15s  ", c.Miners, c.Verdict), "%s", verdictText(c.Verdict)) })
	}
	for _, note := range r.Notes {
		p.textf(0, "NOTE: %s", note)
	}
	if len(r.Causes) > 0 {
		p.blank()
		p.textf(0, "Of the whole round, other than the validator's:")
		printCauses(p, 2, r.Causes)
	}
	printJudged(p, r.Miners, all)
	p.blank()
	if r.Wrong {
		p.painted(terminal.Warn, func() {
			p.textf(0, "WRONG: a rule gives another result, or the registry, the weights, a window or token scores are other ones.")
		})
	}
	if r.OtherMiners {
		p.painted(terminal.Warn, func() {
			p.textf(0, "OTHER MINERS: hotkeys, accounts or who takes part are not the same. Give the producer the validator's own metagraph "+
				"and tokens. A miner that registered or stored its token between the two instants differs too, and is gone from the next record.")
		})
	}
	if !r.Wrong && !r.OtherMiners {
		p.textf(0, "Nothing is wrong.")
	}
}

// printJudged prints a line for each miner, and what explains it.
func printJudged(p *page, miners []shadow.Judged, all bool) {
	begun := false
	for i := range miners {
		m := &miners[i]
		if m.Verdict == shadow.Equal && len(m.Causes) == 0 && !all {
			continue
		}
		if !begun {
			begun = true
			p.blank()
			p.painted(terminal.Head, func() {
				p.linef("%6s  %-15s  %12s  %12s  %s", "UID", "VERDICT", "OUR REWARD", "VALIDATOR'S", "FIGURES")
			})
		}
		p.linef("%6d  %-15s  %12s  %12s  %s", m.UID, m.Verdict, shareText(m.Ours), shareText(m.Theirs), figuresText(m))
		printCauses(p, 8, m.Causes)
		for _, d := range m.Unexplained[:min(len(m.Unexplained), maxCauses)] {
			p.painted(terminal.Warn, func() {
				p.hangf("        ", "%s: %s: ours %s, the validator's %s", d.Rule, d.Figure, missing(d.Ours), missing(d.Theirs))
			})
		}
	}
}

func shareText(reward *float64) string {
	if reward == nil {
		return "-"
	}
	return fmt.Sprintf("%.9f", *reward)
}

// figuresText counts the figures that differ.
func figuresText(m *shadow.Judged) string {
	if m.Verdict == shadow.OursAlone || m.Verdict == shadow.TheirAlone || m.Verdict == shadow.Equal {
		return ""
	}
	return fmt.Sprintf("%d differ", len(m.Differences)+m.More)
}

func missing(value string) string {
	if value == "" {
		return "none"
	}
	return bounded.Line(value, maxCause)
}

func printCauses(p *page, indent int, causes []shadow.Cause) {
	margin := fmt.Sprintf("%*s", indent, "")
	for _, c := range causes[:min(len(causes), maxCauses)] {
		text := bounded.Line(c.What, maxCause)
		if c.Ours != "" || c.Theirs != "" {
			text += ": ours " + missing(c.Ours) + ", the validator's " + missing(c.Theirs)
		}
		p.hangf(margin, "%s %s", c.Kind, text)
	}
	if more := len(causes) - maxCauses; more > 0 {
		p.hangf(margin, "and %s (--json lists them)", plural.Of(more, "more input"))
	}
}
