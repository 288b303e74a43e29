package tokens

import (
	"regexp"
	"strings"

	"mirrorfleet/shared/scoring/python"
)

// baseName is the part of a path after the last slash.
func baseName(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}

// Extension is the extension by which a file is scored: the part of the base name
// after the last dot, lower-cased. Of the names without a dot only dockerfile and
// makefile have one: the name itself. docs/rules/scoring.md#extensions-and-test-files
// has the rule.
func Extension(path string) string {
	base := python.Lower(baseName(path))
	if dot := strings.LastIndexByte(base, '.'); dot >= 0 {
		return base[dot+1:]
	}
	if base == "dockerfile" || base == "makefile" {
		return base
	}
	return ""
}

// IsLineScored says whether files of an extension are scored by their changed
// lines, whatever the weights say.
func IsLineScored(ext string) bool {
	switch ext {
	case "md", "mdx", "markdown", "txt", "text", "tex", "rst", "adoc", "asciidoc", "json", "jsonc", "yaml", "yml", "toml",
		"xml", "csv", "tsv", "ini", "cfg", "conf", "config", "properties", "plist", "erb":
		return true
	}
	return false
}

// testPath and testBase are the patterns of
// docs/rules/scoring.md#extensions-and-test-files: the first over the
// lower-cased path, the second over its base name.
var (
	testPath = regexp.MustCompile(`(^|/)(tests?|__tests?__|androidtest[a-z]*|integrationtest|spec)/|\.tests?/`)
	testBase = regexp.MustCompile(`^(test_|spec_)|(_test|_tests|_spec|\.test|\.tests|\.spec|^tests?)\.[^.]+$|^conftest\.py\n?$`)
)

// IsTestFile says whether a path is a test file's by its name.
func IsTestFile(path string) bool {
	lower := python.Lower(path)
	if !strings.Contains(lower, "test") && !strings.Contains(lower, "spec") {
		return false // each pattern contains one of the two words; most paths have neither
	}
	return testPath.MatchString(lower) || testBase.MatchString(baseName(lower))
}

// The marks of tests inside production files: docs/rules/scoring.md#tree-diff. A word
// ends where no letter, digit or underscore of any script follows, as in Python's
// regular expressions; \b and \w of RE2 know ASCII alone.
var (
	rustTests = regexp.MustCompile(`(?m)^[ \t]*(?:#\[(?:cfg\()?test` + wordEnd +
		`|#!\[cfg\(test\)\]|#\[[\pL\pN_]+::test` + wordEnd + `)`)
	zigTests = regexp.MustCompile(`(?m)^[ \t]*test[ \t]*[{"]`)
	dTests   = regexp.MustCompile(`(?m)^[ \t]*unittest` + wordEnd)
)

const wordEnd = `(?:[^\pL\pN_]|\z)`

// HasInlineTests says whether a head contains tests, which make the whole file a test
// file. Only rs, zig and d files can have them.
func HasInlineTests(ext, head string) bool {
	switch ext {
	case "rs":
		return rustTests.MatchString(head)
	case "zig":
		return zigTests.MatchString(head)
	case "d":
		return dTests.MatchString(head)
	}
	return false
}
