package python_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"mirrorfleet/shared/scoring/python"
)

func TestGlob(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{"main", []string{"main"}, []string{"Main", "mains", "amain", ""}},
		{"", []string{""}, []string{"a"}},
		{"*", []string{"", "a", "a/b", "a\nb"}, nil},
		{"*-dev", []string{"-dev", "a-dev", "a/b-dev", "a-dev-dev"}, []string{"dev", "a-devs"}},
		{"release/*", []string{"release/", "release/1/2"}, []string{"release"}},
		{"a*b*c", []string{"abc", "aXbYc", "abbc", "abcbc"}, []string{"ab", "acb", "abcd"}},
		{"?", []string{"a", "/", "é", "\n"}, []string{"", "ab"}},
		{"[abc]", []string{"a", "c"}, []string{"d", "", "ab", "[abc]"}},
		{"[a-c]", []string{"a", "b", "c"}, []string{"d", "-", "A"}},
		{"[!a]", []string{"b", "!", "/"}, []string{"a", ""}},
		{"[!a-c]", []string{"d", "-"}, []string{"b"}},
		{"[]a]", []string{"]", "a"}, []string{"b", "[]a]"}},
		{"[!]a]", []string{"b"}, []string{"]", "a"}},
		{"[a-", []string{"[a-"}, []string{"a", "-"}},
		{"[", []string{"["}, []string{"a"}},
		{"[!", []string{"[!"}, []string{"a"}},
		{"[]", []string{"[]"}, []string{"]"}},
		{"[!]", []string{"[!]"}, []string{"a"}},
		{"a[b", []string{"a[b"}, []string{"ab"}},
		{"[[]", []string{"["}, []string{"]", "[[]"}},
		{"[a-]", []string{"a", "-"}, []string{"b"}},
		{"[-a]", []string{"a", "-"}, []string{"b"}},
		{"[--0]", []string{"-", ".", "/", "0"}, []string{"1"}},
		{"[a-c-e]", []string{"a", "b", "-", "e"}, []string{"d"}},
		{"[^a]", []string{"^", "a"}, []string{"b"}},
		{`[\a]`, []string{`\`, "a"}, []string{"b"}},
		{`\*`, []string{`\`, `\x`}, []string{"*"}},
		{"[z-a]", nil, []string{"z", "a", "m", "[z-a]"}},
		{"[!z-a]", []string{"z", "a", "-"}, []string{"", "ab"}},
		{"[z-ab-c]", []string{"b", "c"}, []string{"a", "z"}},
		{"a.c", []string{"a.c"}, []string{"abc"}},
		{"release/[0-9]*", []string{"release/1", "release/1.x"}, []string{"release/x"}},
		{"[é-ü]", []string{"ö"}, []string{"z"}},
		{"[&~|]", []string{"&", "~", "|"}, []string{"a"}},
	}
	for _, tt := range tests {
		for _, s := range tt.yes {
			if !python.Match(tt.pattern, s) {
				t.Errorf("%q and %q: got no match, want one", tt.pattern, s)
			}
		}
		for _, s := range tt.no {
			if python.Match(tt.pattern, s) {
				t.Errorf("%q and %q: got a match, want none", tt.pattern, s)
			}
		}
	}
}

// Many stars must not take exponential time: this would never end.
func TestGlobOfManyStarsEnds(t *testing.T) {
	t.Parallel()
	if python.Match(strings.Repeat("a*", 500)+"b", strings.Repeat("a", 2000)) {
		t.Error("got a match, want none")
	}
}

// translated makes a regular expression of a glob as the validator's library
// does, text by text: the reference that matching is fuzzed against.
func translated(pattern string) string {
	runes := []rune(pattern)
	var b strings.Builder
	for i := 0; i < len(runes); {
		r := runes[i]
		i++
		switch r {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			j := i
			if j < len(runes) && runes[j] == '!' {
				j++
			}
			if j < len(runes) && runes[j] == ']' {
				j++
			}
			for j < len(runes) && runes[j] != ']' {
				j++
			}
			if j >= len(runes) {
				b.WriteString(`\[`)
				continue
			}
			b.WriteString(translatedClass(runes[i:j]))
			i = j + 1
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return `\A(?s:` + b.String() + `)\z`
}

func translatedClass(stuff []rune) string {
	find := func(from int) int {
		for k := from; k < len(stuff); k++ {
			if stuff[k] == '-' {
				return k
			}
		}
		return -1
	}
	var chunks []string
	i, k := 0, 1
	if stuff[0] == '!' {
		k = 2
	}
	for {
		if k = find(k); k < 0 {
			break
		}
		chunks = append(chunks, string(stuff[i:k]))
		i, k = k+1, k+3
	}
	if rest := string(stuff[i:]); rest != "" {
		chunks = append(chunks, rest)
	} else {
		chunks[len(chunks)-1] += "-"
	}
	for k := len(chunks) - 1; k > 0; k-- {
		before, after := []rune(chunks[k-1]), []rune(chunks[k])
		if before[len(before)-1] > after[0] {
			chunks[k-1] = string(before[:len(before)-1]) + string(after[1:])
			chunks = append(chunks[:k], chunks[k+1:]...)
		}
	}
	escape := strings.NewReplacer(`\`, `\\`, `-`, `\-`, `[`, `\[`, `]`, `\]`, `^`, `\^`, `&`, `\&`, `~`, `\~`, `|`, `\|`)
	for k := range chunks {
		chunks[k] = escape.Replace(chunks[k])
	}
	switch joined := strings.Join(chunks, "-"); {
	case joined == "":
		return `[^\x00-\x{10FFFF}]`
	case joined == "!":
		return "."
	case joined[0] == '!':
		rest := joined[1:]
		if rest[0] == '-' {
			rest = `\` + rest // a dash at the start is a member
		}
		return "[^" + rest + "]"
	default:
		return "[" + joined + "]"
	}
}

func FuzzGlob(f *testing.F) {
	for _, pattern := range []string{"*a?[b-d]*", "[!a]", "[]a]", "[a-", "[z-a]", "[!z-a]", "[b-a!-z]", "[a-c-e]", "[--0]", "[]-a]", "[!-z]"} {
		for _, s := range []string{"a", "abc", "]", "-", "!", "z"} {
			f.Add(pattern, s)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(s) || len(pattern) > 200 {
			return
		}
		reference, err := regexp.Compile(translated(pattern))
		if err != nil {
			t.Skip(err)
		}
		if got, want := python.Match(pattern, s), reference.MatchString(s); got != want {
			t.Errorf("%q and %q: got %v, want %v (%s)", pattern, s, got, want, reference)
		}
	})
}
