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
		f.ByteSize = new(len(*head))
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
	return fileOf(path(rng, language, false), fileModified, new(base.String()), new(head.String()))
}

// added is a new file.
func added(rng *rand.Rand, language string, size int) File {
	return fileOf(path(rng, language, false), fileAdded, nil, new(newDraft(rng, language, 1+size).String()))
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
		files = append(files, fileOf(path(rng, language, true), fileAdded, nil, new(newDraft(rng, language, 2).String())))
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

// inlineTest makes a Rust source count as a test.
const inlineTest = `
#[cfg(test)]
mod tests {
    #[test]
    fn floats() {
        assert!(super::parse("7").is_some());
    }
}
`

// oddFiles are the files that the rules treat apart, each by its name.
//
//nolint:gochecknoglobals // a table
var oddFiles = map[string]func(rng *rand.Rand, language string) File{
	"removed": func(rng *rand.Rand, language string) File {
		return fileOf(path(rng, language, false), fileRemoved, new(newDraft(rng, language, 3).String()), nil)
	},
	"renamed": func(rng *rand.Rand, language string) File {
		f := modified(rng, language, 1)
		f.Status, f.PreviousFilename = fileRenamed, new("old/"+f.Filename)
		return f
	},
	"copied": func(rng *rand.Rand, language string) File {
		f := modified(rng, language, 0)
		f.Status, f.PreviousFilename = fileCopied, new("template/"+f.Filename)
		return f
	},
	"binary": func(*rand.Rand, string) File {
		return File{Filename: "assets/logo.png", Status: fileModified, IsBinary: true, ByteSize: new(48_213)}
	},
	"oversize": func(*rand.Rand, string) File {
		return File{Filename: "data/tides.csv", Status: fileAdded, Additions: 41_000, Changes: 41_000, ByteSize: new(oversizeBytes)}
	},
	"large": func(_ *rand.Rand, language string) File {
		line := "// a table that a program wrote, line by line\n"
		return fileOf("gen/table."+language, fileAdded, nil, new(strings.Repeat(line, largeBytes/len(line)+1)))
	},
	"unsupported": func(*rand.Rand, string) File {
		return fileOf("models/hull.blend1", fileModified, new("one\ntwo\n"), new("one\nthree\n"))
	},
	"missing base": func(rng *rand.Rand, language string) File {
		f := modified(rng, language, 1)
		f.BaseContent = nil
		return f
	},
	"test": func(rng *rand.Rand, language string) File {
		base := newDraft(rng, language, 3)
		return fileOf(path(rng, language, true), fileModified, new(base.String()), new(base.edited(rng, 2, 2).String()))
	},
	"inline test": func(rng *rand.Rand, _ string) File {
		base := newDraft(rng, "rs", 3).String()
		return fileOf("src/hull.rs", fileModified, &base, new(base+inlineTest))
	},
	"broken": func(rng *rand.Rand, language string) File {
		base := newDraft(rng, language, 3).String()
		return fileOf(path(rng, language, false), fileModified, &base, new(base[:len(base)*2/3]+"\n(((\n"))
	},
	"many lines": func(*rand.Rand, string) File {
		var head strings.Builder
		for i := range 420 { // above the 300 lines that count at most
			fmt.Fprintf(&head, "term %d: a word of the glossary\n", i)
		}
		return fileOf("docs/glossary.txt", fileAdded, nil, new(head.String()))
	},
	"makefile": func(*rand.Rand, string) File {
		return fileOf("Makefile", fileModified, new("all:\n\tcc -o hull hull.c\n"), new("all: hull\n\nhull: hull.c\n\tcc -O2 -o $@ $<\n"))
	},
}
