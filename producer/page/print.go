package page

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"mirrorfleet/shared/terminal"
)

// JSON prints a value as indented JSON for a program. Control characters in it are escaped,
// which changes no value.
func JSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(terminal.JSON(w))
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// JSONLine prints a value as one line of JSON, as JSON does otherwise.
func JSONLine(w io.Writer, v any) error {
	if err := json.NewEncoder(terminal.JSON(w)).Encode(v); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// writeLine writes text as one line, outside of any page.
func writeLine(w io.Writer, text string) error {
	if _, err := io.WriteString(w, strings.TrimRight(text, "\n")+"\n"); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// brisk prints a number of seconds in at most two units: to a second below an hour, to a
// minute above.
func brisk(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Hour {
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}
