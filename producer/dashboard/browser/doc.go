// Package browser holds the tests that look at the dashboard in a real browser: headless
// Chromium over a real round.
package browser
