package main

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"mirrorfleet/producer/outcome"
)

// defaultState is where local rounds are kept when nobody says otherwise.
const defaultState = ".mirrorfleet"

// printNext ends what a local round prints with a command that shows more of it. It
// can be typed as it stands, in the folder that this command was run in.
func printNext(w io.Writer, program, state string, result outcome.Result) {
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
	fmt.Fprintf(w, "\n%s\n    %s\n", about, again(line))
}

// again is a command that a shell takes as it was given.
func again(args []string) string {
	words := make([]string, len(args))
	for i, word := range args {
		words[i] = quoted(word)
	}
	return strings.Join(words, " ")
}

// resuming is a command as it was given, but to resume a round.
func resuming(args []string, round string) string {
	var words []string
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--resume":
			i++ // and its value
		case !strings.HasPrefix(args[i], "--resume="):
			words = append(words, args[i])
		}
	}
	return again(append(words, "--resume", round))
}

// bestOf is the miner with the highest score.
func bestOf(result outcome.Result) (uid int, found bool) {
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
