package telemetry

import (
	"net/url"
	"regexp"
	"strings"
)

// tokens are the access tokens whose form is known (GitHub's), and what stands
// behind an authorization scheme.
var tokens = regexp.MustCompile(`\b(?:gh[pousr]_|github_pat_)\w{8,}|(?i:\b(?:bearer|basic|token)[ :=]+)[\w.~+/=-]{16,}`)

// Scrub takes access tokens out of a text that somebody else wrote: an answer
// that echoes one must not carry it into logs, spans and records.
func Scrub(text string) string { return tokens.ReplaceAllString(text, "[secret]") }

// scrubber takes the settings' own secrets out of what exporters say: a
// collector may echo a header, and an odd one is logged as it was set.
func (env settings) scrubber() func(string) string {
	var pairs []string
	hide := func(secret string) {
		if len(secret) > 3 { // less would only garble
			pairs = append(pairs, secret, "[secret]")
		}
	}
	for _, form := range []string{prefix, tracesPrefix, metricsPrefix} {
		for pair := range strings.SplitSeq(env(form+headers), ",") {
			name, escaped, found := strings.Cut(pair, "=")
			if !found || strings.ContainsFunc(strings.TrimSpace(name), odd) {
				hide(strings.TrimSpace(name))
			}
			escaped = strings.TrimSpace(escaped)
			hide(escaped)
			value, err := url.PathUnescape(escaped)
			if err != nil {
				continue
			}
			hide(value)
			if _, after, found := strings.Cut(value, " "); found { // "Bearer …"
				hide(after)
			}
		}
		if u, err := url.Parse(strings.TrimSpace(env(form + endpoint))); err == nil {
			password, _ := u.User.Password()
			hide(password)
			hide(u.User.Username())
			hide(u.RawQuery)
			// With its slash, so that a path such as /otlp hides no word. The exporters add /v1/traces.
			hide(strings.TrimSuffix(strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), "/v1/traces"), "/v1/metrics"))
		}
	}
	replace := strings.NewReplacer(pairs...)
	return func(text string) string { return Scrub(replace.Replace(text)) }
}

// odd says whether a header's name is unlikely to have the character.
func odd(c rune) bool {
	return c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}
