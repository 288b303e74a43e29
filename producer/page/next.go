package page

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"mirrorfleet/producer/outcome"
)

// Next ends the page of a local round with a command that shows more of it. The command
// works in the folder in which this one was run. where are the flags that find the round.
func Next(w io.Writer, program string, where []string, result outcome.Result) {
	line := []string{program, "show", result.Round}
	about := "The round again:"
	if uid, found := bestOf(result); found {
		line = append(line, strconv.Itoa(uid))
		about = fmt.Sprintf("Why miner %d has its score:", uid)
	}
	fmt.Fprintf(w, "\n%s\n    %s\n", about, Again(append(line, where...)))
}

// Again quotes a command line so that a shell reads the same words.
func Again(args []string) string {
	words := make([]string, len(args))
	for i, word := range args {
		words[i] = quoted(word)
	}
	return strings.Join(words, " ")
}

// Resuming is the command line that was given, changed to resume a round.
func Resuming(args []string, round string) string {
	var words []string
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--resume":
			i++ // and its value
		case !strings.HasPrefix(args[i], "--resume="):
			words = append(words, args[i])
		}
	}
	return Again(append(words, "--resume", round))
}

// bestOf returns the miner with the highest score; false if all scores are 0.
func bestOf(result outcome.Result) (uid int, found bool) {
	best := 0.0
	for _, m := range result.Outcome.Miners {
		if m.TotalScore > best {
			uid = m.UID
			best = m.TotalScore
			found = true
		}
	}
	return uid, found
}

// plainWord matches a word that a shell needs no quotes for.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9%+,./:=@_-]+$`)

// quoted is a word in quotes for a POSIX shell, if it needs any.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
