package dashboard

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/shared/scoring"
)

// codeText says a rule's code as people read it: codes are words with dashes.
func codeText(code scoring.Code) string { return strings.ReplaceAll(string(code), "-", " ") }

// because says a decision: the rule, with the values that it compared.
func because(r scoring.Reason) string {
	values := make([]string, 0, len(r.Values))
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		value := r.Values[name]
		if x, err := strconv.ParseFloat(value, 64); err == nil && strings.Contains(value, ".") {
			value = trimmed(x)
		}
		if value == "" {
			value = "none"
		}
		values = append(values, strings.ReplaceAll(name, "_", " ")+" "+value)
	}
	if len(values) == 0 {
		return codeText(r.Code)
	}
	return codeText(r.Code) + " (" + strings.Join(values, "; ") + ")"
}
