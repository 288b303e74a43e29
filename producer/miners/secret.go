package miners

import (
	"fmt"
	"log/slog"
)

// hidden is what a secret shows.
const hidden = "[secret]"

// Secret is an access token. However it is printed, logged or encoded, it says
// [secret]. The text is behind a pointer, so that a value printed by reflection
// shows an address: fmt calls no methods of unexported fields.
type Secret struct{ text *string }

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal is the text itself, for the one who sends it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty says whether there is no token.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// String hides the text.
func (s Secret) String() string { return hidden }

// Format hides the text from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText hides the text from encoders, JSON's too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the text from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
