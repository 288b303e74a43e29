package view

import (
	"math"
	"strconv"
	"strings"

	"mirrorfleet/shared/scoring/python"
)

// Formula is a figure with the formula that gives it, its numbers in place. Computed as it
// is written, the formula gives Shown, digit for digit.
type Formula struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"` // the outcome's, with all its digits
	Shown string  `json:"shown"` // rounded as people read it
	// Formula is in plain text: + - x / with brackets, min, max, floor, round2
	// (docs/rules/scoring.md#terms) and e^. Words before a number only name it.
	Formula string `json:"formula"`
	// Note says what the formula leaves out; "" for nothing.
	Note string `json:"note,omitempty"`
}

// The decimals with which figures are shown: what the rules round with round2, scores, and
// shares of the emission.
const (
	roundedDigits = 2
	scoreDigits   = 4
	rewardDigits  = 9
)

// minDigits are the decimals of a formula's numbers, where these suffice. maxDigits show
// every float64 of a score as it is.
const minDigits, maxDigits = 4, 17

// formulaOf writes a figure's formula. Its numbers get as many decimals as it takes for the
// formula to come to the figure as it is shown. Right between two figures the order of the
// operations decides: the figure then gets one decimal more.
func formulaOf(name string, value float64, digits int, t term) Formula {
	for ; ; digits++ {
		f := Formula{Name: name, Value: value, Shown: fixed(value, digits)}
		for decimals := max(minDigits, digits); decimals <= maxDigits; decimals++ {
			if fixed(t.value(decimals), digits) == f.Shown {
				f.Formula = t.text(decimals)
				return f
			}
		}
		if digits >= maxDigits {
			f.Formula = t.text(maxDigits) // the figure is not of this formula
			return f
		}
	}
}

// noted is the formula with a note.
func (f Formula) noted(note string) Formula {
	f.Note = note
	return f
}

// fixed prints a number with exactly so many decimals. Zero has no sign.
func fixed(x float64, decimals int) string {
	text := strconv.FormatFloat(x, 'f', decimals, 64)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-")
	}
	return text
}

// short prints a number with at most so many decimals.
func short(x float64, decimals int) string {
	text := fixed(x, decimals)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// term is a formula, or a part of one. Its text and its value come from the same numbers, so
// that neither can contradict the other.
type term struct {
	op    string // "" for a number
	name  string // of a number; "" for none
	x     float64
	parts []term
}

// The operators by how closely they bind; functions bind closest.
func (t term) binds() int {
	switch t.op {
	case "+", "-":
		return 1
	case "x", "/":
		return 2
	}
	return 3
}

func num(x float64) term                 { return term{x: x} }
func called(name string, x float64) term { return term{name: name, x: x} }
func whole(name string, n int) term      { return called(name, float64(n)) }
func call(op string, parts ...term) term { return term{op: op, parts: parts} }

// value computes the formula from its numbers as they are shown.
func (t term) value(decimals int) float64 {
	if t.op == "" {
		x, err := strconv.ParseFloat(short(t.x, decimals), 64)
		if err != nil {
			return math.NaN() // no number that is shown
		}
		return x
	}
	x := t.parts[0].value(decimals)
	for _, part := range t.parts[1:] {
		y := part.value(decimals)
		switch t.op {
		case "+":
			x += y
		case "-":
			x -= y
		case "x":
			x *= y
		case "/":
			x /= y
		case "min":
			x = min(x, y)
		case "max":
			x = max(x, y)
		}
	}
	switch t.op {
	case "round2":
		x = python.Round2(x)
	case "floor":
		x = math.Floor(x)
	case "e^":
		x = math.Exp(x)
	}
	return x
}

// text writes the formula.
func (t term) text(decimals int) string {
	if t.op == "" {
		return strings.TrimSpace(t.name + " " + short(t.x, decimals))
	}
	parts := make([]string, len(t.parts))
	for i, part := range t.parts {
		parts[i] = part.text(decimals)
		// What follows a minus or a stroke is taken as a whole.
		after := i > 0 && (t.op == "-" || t.op == "/")
		if b := part.binds(); t.binds() < 3 && (b < t.binds() || after && b == t.binds()) {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	if t.binds() < 3 {
		return strings.Join(parts, " "+t.op+" ")
	}
	return t.op + "(" + strings.Join(parts, ", ") + ")"
}
