package mirrorsim

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// fileOf fills what follows from a file's texts.
func fileOf(name, status string, base, head *string) File {
	f := File{Filename: name, Status: status, BaseContent: base, HeadContent: head}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	f.Additions, f.Deletions = lineCounts(text(base), text(head))
	f.Changes = f.Additions + f.Deletions
	if head != nil {
		f.ByteSize = ptr(len(*head))
	}
	return f
}

// path is a made-up path of a language's source; tests lie where tests lie.
func path(rng *rand.Rand, language string, test bool) string {
	noun, phrase := nouns[rng.IntN(len(nouns))], phrases[rng.IntN(len(phrases))]
	switch {
	case test && language == "go":
		return fmt.Sprintf("%s/%s_test.go", noun, phrase)
	case test && language == "ts":
		return fmt.Sprintf("src/%s/%s.spec.ts", noun, phrase)
	case test:
		return fmt.Sprintf("tests/%s/test_%s.%s", noun, phrase, language)
	}
	return fmt.Sprintf("src/%s/%s.%s", noun, phrase, language)
}

// modified is an edit of a file that was there.
func modified(rng *rand.Rand, language string, size int) File {
	base := newDraft(rng, language, 2+rng.IntN(4))
	head := base.edited(rng, 1+rng.IntN(2), size)
	return fileOf(path(rng, language, false), "modified", ptr(base.String()), ptr(head.String()))
}

// added is a new file.
func added(rng *rand.Rand, language string, size int) File {
	return fileOf(path(rng, language, false), "added", nil, ptr(newDraft(rng, language, 1+size).String()))
}

// ordinaryFiles are what most pull requests change: one to three sources, at
// times a test or a note beside them.
func ordinaryFiles(rng *rand.Rand, languages []string) []File {
	var files []File
	for range 1 + rng.IntN(3) {
		language := languages[rng.IntN(len(languages))]
		if rng.IntN(4) == 0 {
			files = append(files, added(rng, language, 1+rng.IntN(3)))
		} else {
			files = append(files, modified(rng, language, rng.IntN(4)))
		}
	}
	switch rng.IntN(4) {
	case 0:
		language := languages[0]
		files = append(files, fileOf(path(rng, language, true), "added", nil, ptr(newDraft(rng, language, 2).String())))
	case 1:
		files = append(files, modified(rng, "md", 1))
	}
	return files
}

// oversize is more than the mirror sends, large more than the rules parse.
const (
	oversizeBytes = 1_400_000
	largeBytes    = 1_000_400
)

// oddFiles are the files that the rules treat apart, each by its name.
var oddFiles = map[string]func(rng *rand.Rand, language string) File{
	"removed": func(rng *rand.Rand, language string) File {
		return fileOf(path(rng, language, false), "removed", ptr(newDraft(rng, language, 3).String()), nil)
	},
	"renamed": func(rng *rand.Rand, language string) File {
		f := modified(rng, language, 1)
		f.Status, f.PreviousFilename = "renamed", ptr("old/"+f.Filename)
		return f
	},
	"copied": func(rng *rand.Rand, language string) File {
		f := modified(rng, language, 0)
		f.Status, f.PreviousFilename = "copied", ptr("template/"+f.Filename)
		return f
	},
	"binary": func(*rand.Rand, string) File {
		return File{Filename: "assets/logo.png", Status: "modified", IsBinary: true, ByteSize: ptr(48_213)}
	},
	"oversize": func(*rand.Rand, string) File {
		return File{Filename: "data/tides.csv", Status: "added", Additions: 41_000, Changes: 41_000, ByteSize: ptr(oversizeBytes)}
	},
	"large": func(_ *rand.Rand, language string) File {
		line := "// a table that a program wrote, line by line\n"
		return fileOf("gen/table."+language, "added", nil, ptr(strings.Repeat(line, largeBytes/len(line)+1)))
	},
	"unsupported": func(*rand.Rand, string) File {
		return fileOf("models/hull.blend1", "modified", ptr("one\ntwo\n"), ptr("one\nthree\n"))
	},
	"missing base": func(rng *rand.Rand, language string) File {
		f := modified(rng, language, 1)
		f.BaseContent = nil
		return f
	},
	"test": func(rng *rand.Rand, language string) File {
		base := newDraft(rng, language, 3)
		return fileOf(path(rng, language, true), "modified", ptr(base.String()), ptr(base.edited(rng, 2, 2).String()))
	},
	"inline test": func(rng *rand.Rand, _ string) File {
		base := newDraft(rng, "rs", 3).String()
		return fileOf("src/hull.rs", "modified", &base, ptr(base+"\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn floats() {\n        assert!(super::parse(\"7\").is_some());\n    }\n}\n"))
	},
	"broken": func(rng *rand.Rand, language string) File {
		base := newDraft(rng, language, 3).String()
		return fileOf(path(rng, language, false), "modified", &base, ptr(base[:len(base)*2/3]+"\n(((\n"))
	},
	"many lines": func(*rand.Rand, string) File {
		var head strings.Builder
		for i := range 420 { // above the 300 lines that count at most
			fmt.Fprintf(&head, "term %d: a word of the glossary\n", i)
		}
		return fileOf("docs/glossary.txt", "added", nil, ptr(head.String()))
	},
	"makefile": func(*rand.Rand, string) File {
		return fileOf("Makefile", "modified", ptr("all:\n\tcc -o hull hull.c\n"), ptr("all: hull\n\nhull: hull.c\n\tcc -O2 -o $@ $<\n"))
	},
}
