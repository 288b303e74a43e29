package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// Screen is a terminal whose last lines are drawn again and again, below all that
// is written beside them. A pipe or a file gets only the text that is written.
//
// Between two drawings the cursor stands above the lines. Wherever a terminal puts
// them when it is made wider or narrower, they are all that is below the cursor,
// so that the next drawing clears them without counting what has wrapped. An empty
// line is left for the cursor: who ends the process gets his prompt there.
type Screen struct {
	file *os.File

	mu    sync.Mutex
	lines []string // as drawn last; nil for none
	err   error    // why writing has ended
}

// NewScreen draws to a file.
func NewScreen(file *os.File) *Screen { return &Screen{file: file} }

// What a terminal is told. Without wrapping, a line that has become too long
// before the next drawing is cut by the terminal and stays one.
const (
	clearBelow = "\r\x1b[J"
	noWrapping = "\x1b[?7l"
	wrapping   = "\x1b[?7h"
	upBy       = "\x1b[%dA"
)

// Write writes above the drawn lines.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines == nil {
		return s.file.Write(p) //nolint:wrapcheck // a writer like the file itself
	}
	text := string(p)
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if _, err := io.WriteString(s.file, clearBelow+text+s.block()); err != nil {
		return 0, err //nolint:wrapcheck // a writer like the file itself
	}
	return len(p), nil
}

// Draw replaces the drawn lines by those that are made for the width that the
// terminal has now. Its error says that the terminal is gone: then it draws
// nothing any more.
func (s *Screen) Draw(lines func(width int) []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drawLocked(lines, func() string { return clearBelow + s.block() })
	return s.err
}

// Leave draws for the last time, and leaves the lines where they are.
func (s *Screen) Leave(lines func(width int) []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drawLocked(lines, func() string { return clearBelow + noWrapping + strings.Join(s.lines, "\n") + "\n" + wrapping })
	s.lines = nil
	return s.err
}

func (s *Screen) drawLocked(lines func(width int) []string, text func() string) {
	if s.err != nil {
		return
	}
	s.lines = lines(Of(s.file).Width)
	if _, height, err := term.GetSize(int(s.file.Fd())); err == nil && height > 1 && len(s.lines) >= height {
		s.lines = s.lines[:height-1] // one is the cursor's
	}
	if _, err := io.WriteString(s.file, text()); err != nil {
		s.err = fmt.Errorf("drawing: %w", err)
	}
}

// block is the lines, and the way back to above them.
func (s *Screen) block() string {
	return noWrapping + "\n" + strings.Join(s.lines, "\n") + "\r" + fmt.Sprintf(upBy, len(s.lines)) + wrapping
}
