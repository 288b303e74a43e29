package page

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"mirrorfleet/shared/terminal"
)

// JSON prints what a program reads.
func JSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(terminal.JSON(w))
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// writeLine writes a line of its own.
func writeLine(w io.Writer, text string) error {
	if _, err := io.WriteString(w, strings.TrimRight(text, "\n")+"\n"); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// brisk is a length of time in two units at most.
func brisk(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < time.Hour {
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}
