// Package plural writes numbers and lists of things for a sentence: "1 job", "2 jobs",
// "a, b and 3 more". It makes plurals with an s, and is told the others.
package plural

import (
	"fmt"
	"strings"
)

// Of is a number of things, named in the singular. Of several words the last one gets
// the s.
func Of[N int | int64 | uint64](n N, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// Forms is a number of things whose plural is not made by an s.
func Forms[N int | int64 | uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Are is the verb after a number of things: "is" or "are".
func Are[N int | int64 | uint64](n N) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// Some lists the first things, and says how many more there are: "a, b and 3 more".
func Some[T int | string](list []T, limit int) string {
	names := make([]string, 0, limit)
	for _, thing := range list[:min(len(list), limit)] {
		names = append(names, fmt.Sprint(thing))
	}
	text := strings.Join(names, ", ")
	if more := len(list) - limit; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
