package evaluate

import (
	"fmt"
	"time"

	"mirrorfleet/shared/mirror"
	"mirrorfleet/shared/scorecache"
	"mirrorfleet/shared/scoring/tokens"
)

// settleTime is how long the mirror may take to write a pull request's files
// anew. If a rate limit of GitHub's stops it midway, the limit resets within the
// hour.
const settleTime = time.Hour

// largestText is the size in bytes up to which the mirror keeps a text.
const largestText = 1_000_000

// counted is what a list says of a pull request's files, to compare an answer
// with.
type counted struct {
	// Known is false for a solving pull request that only an issue names: an
	// issue tells no counts.
	Known bool
	// Head is the commit that the counts are of.
	Head                 string
	Additions, Deletions int
	// MergedAt is zero for a pull request that is not merged.
	MergedAt time.Time
}

// answered is what a files answer says of itself, without its texts.
type answered struct {
	// Head and Base are the commits that it is of.
	Head, Base string
	// Stored is the mirror's own word that it has all files.
	Stored bool
	Digest string
	// Files and Malformed count them; Additions and Deletions are sums over Files.
	Files, Malformed, Additions, Deletions int
	// At is when it came, by the mirror's own clock.
	At time.Time
	// Wrong is the first thing in it that no pull request can have; "" for none.
	Wrong string
	// LacksText names the first file that lacks a text which its status and size
	// demand, and that text; "" for none.
	LacksText string
}

func answeredBy(a *mirror.Files) *answered {
	s := &answered{
		Head:      a.HeadSHA,
		Base:      scorecache.Base(a.MergeBaseSHA, a.BaseSHA),
		Stored:    a.Stored,
		Digest:    a.Digest,
		Files:     len(a.Files),
		Malformed: len(a.Malformed),
		At:        a.At,
	}
	names := make(map[string]bool, len(a.Files))
	for i := range a.Files {
		f := &a.Files[i]
		switch {
		case s.Wrong != "":
		case names[f.Filename]:
			s.Wrong = fmt.Sprintf("%.200s is in it twice", f.Filename)
		case f.Additions < 0 || f.Deletions < 0:
			s.Wrong = fmt.Sprintf("%.200s adds %d and deletes %d lines", f.Filename, f.Additions, f.Deletions)
		}
		names[f.Filename] = true
		s.Additions += f.Additions
		s.Deletions += f.Deletions
		if text := lacksText(f); text != "" && s.LacksText == "" {
			s.LacksText = fmt.Sprintf("%.200s has no %s text", f.Filename, text)
		}
	}
	return s
}

// verdict is how far an answer can be trusted.
type verdict struct {
	// Inconsistent is why the answer cannot be all that the mirror has, "" when
	// nothing speaks against it. It leaves the pull request degraded.
	Inconsistent string
	// Keep says that the answer has settled, so that its scores may be kept.
	Keep bool
	// Sighting is to be remembered of an answer that has not settled, so that the
	// same answer may settle it later; nil for nothing.
	Sighting *scorecache.Sighting
}

// settle judges a files answer that came at an instant. An answer settles in
// one of two ways: by agreeing with its list's counts, once the mirror has had
// its time after the merge, or by coming back byte for byte after that time.
// earlier is what was remembered of the answer before, nil for nothing.
func settle(list counted, answer *answered, earlier *scorecache.Sighting, now time.Time) verdict {
	v := verdict{Inconsistent: inconsistency(list, answer)}
	rewriting := now.Sub(list.MergedAt) < settleTime
	again := earlier != nil && earlier.Digest == answer.Digest && !now.Before(earlier.At)
	switch {
	case answer.Stored && !rewriting && v.Inconsistent == "" && countsMatter(list, answer):
		v.Keep = true
	case !again:
		// Whatever came in between, the wait for the same answer begins anew.
		v.Sighting = &scorecache.Sighting{Digest: answer.Digest, At: now}
	case answer.Stored && !rewriting && now.Sub(earlier.At) >= settleTime:
		return verdict{Keep: true} // that is how the mirror has it
	}
	return v
}

// countsMatter says whether the sums of an answer's files must be those of its
// list.
func countsMatter(list counted, answer *answered) bool {
	return list.Known && list.Head == answer.Head && answer.Malformed == 0
}

// inconsistency is why an answer cannot be all that the mirror has of a pull
// request, "" when nothing speaks against it.
func inconsistency(list counted, answer *answered) string {
	switch {
	case list.Known && !answer.Stored: // files are asked for only where the list says so
		return "it says that its files are not stored, the list that they are"
	case answer.Wrong != "":
		return answer.Wrong
	case answer.Files+answer.Malformed == 0 && (!list.Known || list.Additions+list.Deletions > 0):
		return "it has no files"
	case countsMatter(list, answer) && (answer.Additions != list.Additions || answer.Deletions != list.Deletions):
		return fmt.Sprintf("its files add %d and delete %d lines, the list says %d and %d",
			answer.Additions, answer.Deletions, list.Additions, list.Deletions)
	}
	return answer.LacksText
}

// lacksText names the text that a file should have and has not; "" for none.
// The mirror keeps no text of a binary or too large file, none after a removal
// and none before an addition. A size that it does not tell is of a file that
// it has not fetched yet.
func lacksText(f *tokens.File) string {
	switch {
	case f.Binary, f.ByteSize != nil && *f.ByteSize > largestText:
		return ""
	case f.Status != "removed" && (f.Head == nil || *f.Head == "" && f.ByteSize != nil && *f.ByteSize > 0):
		return "head"
	case f.Base == nil && f.Status != "added":
		return "base"
	}
	return ""
}
