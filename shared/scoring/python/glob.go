package python

// Match says whether the whole of s matches a glob: * is any run of characters, ? is
// one, and [abc], [a-z] and [!abc] are classes. A bracket that is never closed is a
// plain character. It is Python's fnmatch.fnmatchcase: / and newlines are characters
// like any other. Matching never fails and takes at most len(pattern) × len(s) steps.
func Match(pattern, s string) bool {
	p, text := []rune(pattern), []rune(s)
	i, j := 0, 0
	// The place to resume from when the last star must take one character more.
	star, taken := -1, 0
	for j < len(text) {
		if i < len(p) && p[i] == '*' {
			star, taken = i, j
			i++
			continue
		}
		if i < len(p) {
			if next, ok := matchOne(p, i, text[j]); ok {
				i, j = next, j+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		taken++
		i, j = star+1, taken
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

// matchOne matches one character against the part of the pattern at i, and returns
// where the next part starts.
func matchOne(p []rune, i int, r rune) (next int, ok bool) {
	switch p[i] {
	case '?':
		return i + 1, true
	case '[':
		if end := classEnd(p, i); end > 0 {
			return end + 1, matchClass(p[i+1:end], r)
		}
	}
	return i + 1, p[i] == r
}

// classEnd is where the class that opens at i closes, -1 if it never does. A closing
// bracket right after the opening one, or after its !, is a member of the class.
func classEnd(p []rune, i int) int {
	end := i + 1
	if end < len(p) && p[end] == '!' {
		end++
	}
	if end < len(p) && p[end] == ']' {
		end++
	}
	for end < len(p) && p[end] != ']' {
		end++
	}
	if end == len(p) {
		return -1
	}
	return end
}

// matchClass says whether r is in a class. Python turns a class into a regular
// expression, and odd classes behave here as they do there: an empty range vanishes,
// a class of nothing matches nothing, and a class of a lone ! matches everything.
func matchClass(class []rune, r rune) bool {
	members := classMembers(class)
	if len(members) == 0 {
		return false
	}
	negated := members[0].char == '!' && !members[0].dash
	if negated {
		members = members[1:]
		if len(members) == 0 {
			return true
		}
	}
	return inClass(members, r) != negated
}

// member is one character of a class, or the dash of a range.
type member struct {
	char rune
	dash bool
}

func inClass(members []member, r rune) bool {
	for i := 0; i < len(members); i++ {
		if i+2 < len(members) && members[i+1].dash && !members[i].dash {
			if members[i].char <= r && r <= members[i+2].char {
				return true
			}
			i += 2
			continue
		}
		if members[i].char == r {
			return true
		}
	}
	return false
}

// classMembers splits a class at the dashes that make ranges, drops the empty
// ranges, and lists the rest.
func classMembers(class []rune) []member {
	chunks := classChunks(class)
	for k := len(chunks) - 1; k > 0; k-- {
		before, after := chunks[k-1], chunks[k]
		if before[len(before)-1] > after[0] {
			merged := append(append([]rune{}, before[:len(before)-1]...), after[1:]...)
			chunks = append(append(append([][]rune{}, chunks[:k-1]...), merged), chunks[k+1:]...)
		}
	}
	var members []member
	for k, chunk := range chunks {
		if k > 0 {
			members = append(members, member{char: '-', dash: true})
		}
		for _, char := range chunk {
			members = append(members, member{char: char})
		}
	}
	return members
}

// classChunks cuts a class at each dash between two characters that no other range
// uses. The other dashes are members.
func classChunks(class []rune) [][]rune {
	var chunks [][]rune
	start, from := 0, 1
	if len(class) > 0 && class[0] == '!' {
		from = 2
	}
	for {
		dash := from
		for dash < len(class) && class[dash] != '-' {
			dash++
		}
		if dash >= len(class) {
			break
		}
		chunks = append(chunks, class[start:dash])
		start, from = dash+1, dash+3
	}
	if rest := class[start:]; len(rest) > 0 || len(chunks) == 0 {
		return append(chunks, rest)
	}
	// A dash at the end is a member.
	last := len(chunks) - 1
	chunks[last] = append(append([]rune{}, chunks[last]...), '-')
	return chunks
}

// MatchAny says whether s matches one of the globs.
func MatchAny(patterns []string, s string) bool {
	for _, pattern := range patterns {
		if Match(pattern, s) {
			return true
		}
	}
	return false
}
