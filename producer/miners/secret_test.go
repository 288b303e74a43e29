package miners_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"mirrorfleet/producer/miners"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// planted is a token that must come out nowhere.
const planted = "ghp_0123456789PLANTED0123456789abcdefghij"

// However it is printed, nested, logged or encoded, a token does not show.
func TestASecretDoesNotShow(t *testing.T) {
	t.Parallel()
	secret := miners.NewSecret(planted)
	type holder struct {
		Public miners.Secret
		hidden miners.Secret
	}
	h := holder{secret, secret}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		for _, value := range []any{secret, &secret, h, &h, []miners.Secret{secret}, map[string]holder{"a": h}, errors.Join(fmt.Errorf("it is %v", secret))} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("text", "secret", secret, "holder", h, "pointer", &h)
	}
	for _, value := range []any{secret, h, map[string]any{"x": secret}} {
		data, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(data)
	}
	for _, form := range []string{planted, fmt.Sprintf("%x", planted), fmt.Sprintf("%d", []byte(planted))} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the token shows:\n%s", out.String())
		}
	}
	if secret.Reveal() != planted || secret.Empty() || !(miners.Secret{}).Empty() {
		t.Error("the token itself is lost")
	}
}
