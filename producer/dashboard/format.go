package dashboard

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"mirrorfleet/shared/plural"
)

// functions are what the templates call.
func functions(files assets) template.FuncMap {
	return template.FuncMap{
		"asset":      func(name string) string { return files[name].address },
		"number":     number[int],
		"number64":   number[int64],
		"took":       took,
		"score":      func(x float64) string { return decimals(x, 4) },
		"two":        func(x float64) string { return decimals(x, 2) },
		"reward":     func(x float64) string { return decimals(x, 6) },
		"percent":    percent,
		"signed":     signed,
		"plural":     plural.Of[int],
		"short":      short,
		"instant":    instant,
		"clock":      clock,
		"ago":        ago,
		"until":      until,
		"since":      since,
		"sentence":   sentence,
		"navigation": navigation,
		"dict":       dict,
		"nodes":      nodeSums,
		"trimmed":    trimmed,
		"exact":      func(x float64) string { return decimals(x, rewardDigits) },
	}
}

// dict makes the argument of a part that takes several: names and values by turns.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: %d arguments, want names and values by turns", len(pairs))
	}
	all := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		all[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return all, nil
}

// number writes a whole number with its thousands apart: 12,345.
func number[N int | int64](n N) string {
	text := strconv.FormatInt(int64(n), 10)
	digits := strings.TrimPrefix(text, "-")
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	if n < 0 {
		return "−" + digits
	}
	return digits
}

// decimals writes a figure with exactly so many decimals. A zero has no sign.
func decimals(x float64, n int) string {
	text := strconv.FormatFloat(math.Abs(x), 'f', n, 64)
	if x < 0 && strings.Trim(text, "0.") != "" {
		return "−" + text
	}
	return text
}

// signed writes a difference with its sign.
func signed(x float64, n int) string {
	if text := decimals(x, n); !strings.HasPrefix(text, "−") && strings.Trim(text, "0.") != "" {
		return "+" + text
	}
	return decimals(x, n)
}

// percent writes a share: 93.6 %.
func percent(x float64) string { return decimals(100*x, 1) + " %" }

// took writes a length of time in seconds as people say it: 42 s, 3 min 20 s, 1 h 05 min.
func took(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return plural.Of(int(d/(24*time.Hour)), "day")
}

// short cuts a long text, such as a hotkey or a digest, in its middle.
func short(text string) string {
	runes := []rune(text)
	if len(runes) <= 14 {
		return text
	}
	return string(runes[:6]) + "…" + string(runes[len(runes)-6:])
}

const instantLayout = "2006-01-02 15:04:05 UTC"

// The elements of time carry the instant, which the script shows in the viewer's zone in
// their titles. Without the script they show UTC.

// instant is an instant with its date.
func instant(at time.Time) template.HTML {
	return element(at, "", at.UTC().Format(instantLayout))
}

// clock is an instant of today.
func clock(at time.Time) template.HTML {
	return element(at, "", at.UTC().Format("15:04:05"))
}

// ago is how long ago an instant was, and until how long it is ahead. The script keeps both
// up to date.
func ago(at, now time.Time) template.HTML {
	return element(at, "ago", took(now.Sub(at).Seconds())+" ago")
}

func until(at, now time.Time) template.HTML {
	if !at.After(now) {
		return element(at, "until", "now")
	}
	return element(at, "until", "in "+took(at.Sub(now).Seconds()))
}

// since is how long something lasts that has not ended. The script keeps it up to date.
func since(at, now time.Time) template.HTML {
	return element(at, "since", took(now.Sub(at).Seconds()))
}

func element(at time.Time, kind, text string) template.HTML {
	if at.IsZero() {
		return "never"
	}
	stamp := at.UTC().Format(time.RFC3339)
	class := ""
	if kind != "" {
		class = ` data-relative="` + kind + `"`
	}
	//nolint:gosec // digits and words of ours alone
	return template.HTML(`<time datetime="` + stamp + `" title="` + at.UTC().Format(instantLayout) + `"` + class + `>` + text + `</time>`)
}

// sentence begins a text with a capital and ends it with a full stop, as on a page.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if text == "" || first == utf8.RuneError {
		return text
	}
	text = string(unicode.ToUpper(first)) + text[size:]
	if strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}
