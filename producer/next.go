package main

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"mirrorfleet/producer/round"
)

// defaultState is where local rounds are kept when nobody says otherwise.
const defaultState = ".mirrorfleet"

// printNext ends what a local round prints with a command that shows more of it. It
// can be typed as it stands, in the folder that this command was run in.
func printNext(w io.Writer, program, state string, result round.Result) {
	line := []string{program, "show", result.Round}
	about := "The round again:"
	if uid, found := bestOf(result); found {
		line = append(line, strconv.Itoa(uid))
		about = fmt.Sprintf("Why miner %d has its score:", uid)
	}
	line = append(line, "--local")
	if state != defaultState {
		line = append(line, "--state", state)
	}
	for i, word := range line {
		line[i] = quoted(word)
	}
	fmt.Fprintf(w, "\n%s\n    %s\n", about, strings.Join(line, " "))
}

// bestOf is the miner with the highest score.
func bestOf(result round.Result) (uid int, found bool) {
	best := 0.0
	for _, m := range result.Outcome.Miners {
		if m.TotalScore > best {
			uid, best, found = m.UID, m.TotalScore, true
		}
	}
	return uid, found
}

// plainWord is one that a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9%+,./:=@_-]+$`)

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
