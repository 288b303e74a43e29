package tokens

import (
	"regexp"
	"strings"

	"mirrorfleet/shared/scoring/python"
)

// baseName is what follows the last slash.
func baseName(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}

// Extension is the extension that a file is scored by: of the base name, what
// follows the last dot, lower-cased. Of names without a dot only dockerfile and
// makefile have one: themselves.
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
		return false // every pattern has one of them; most paths have none
	}
	return testPath.MatchString(lower) || testBase.MatchString(baseName(lower))
}

// The marks of tests inside production files. A word ends where neither letter,
// digit nor underscore of any script follows, as the validator reads its
// patterns; RE2's own \b and \w know ASCII alone.
var (
	rustTests = regexp.MustCompile(`(?m)^[ \t]*(?:#\[(?:cfg\()?test` + wordEnd +
		`|#!\[cfg\(test\)\]|#\[[\pL\pN_]+::test` + wordEnd + `)`)
	zigTests = regexp.MustCompile(`(?m)^[ \t]*test[ \t]*[{"]`)
	dTests   = regexp.MustCompile(`(?m)^[ \t]*unittest` + wordEnd)
)

const wordEnd = `(?:[^\pL\pN_]|\z)`

// HasInlineTests says whether a head's text holds tests of its own, which makes
// the whole file a test file. Only rs, zig and d files can.
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
