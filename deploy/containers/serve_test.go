package containers_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/certs/certstest"
	"mirrorfleet/shared/must"
)

// serve: the profile "validator" runs a round of a validator's folder, serves it to who
// has a token, and runs the commands of deploy/README.md beside itself. No token of a
// miner is stored, so GitHub is not asked.
func serve(t *testing.T, s *stack) {
	t.Helper()
	inputs := t.TempDir()
	ca := certstest.New(t)
	cert, key := ca.Issue(t, "serve")
	world := podman(t, "volume", "inspect", "--format", "{{.Mountpoint}}", "mirrorfleet_world")
	for name, data := range map[string][]byte{
		"miner_pats.json": []byte("[]"), "metagraph.json": []byte(`{"0": "h0", "1": "h1"}`),
		"api-token": []byte("secret-to-order-0123456789abcdef0123"), "api-read-token": []byte("secret-to-read-0123456789abcdef01234"),
		"api-cert.pem": must.Get(os.ReadFile(cert))(t), "api-key.pem": must.Get(os.ReadFile(key))(t),
		"master_repositories.json": must.Get(os.ReadFile(filepath.Join(world, "master_repositories.json")))(t),
	} {
		must.Do(t, os.WriteFile(filepath.Join(inputs, name), data, 0o600))
	}
	s.env["INPUTS"] = inputs
	s.up("serve")
	untilReady(t, "serve")
	must.Until(t.Context(), t, "a round of the schedule is concluded", func() bool {
		return strings.Contains(podman(t, "logs", named("serve")), "the round is concluded")
	})
	checkAPI(t, ca.File)
	checkGuards(t, "serve")
	for _, command := range []string{"serve producer rounds", "serve producer show latest", "serve producer replay latest"} {
		s.compose(append([]string{"exec", "-T"}, strings.Fields(command)...)...)
	}
	s.compose("exec", "-T", "worker", "worker", "check")
	if out := s.compose("run", "--rm", "-T", "doctor"); strings.Contains(out, "FAULT") || !strings.Contains(out, "worker role") {
		t.Errorf("the doctor:\n%s", out)
	}
	s.compose("restart", "serve")
	untilReady(t, "serve")
	s.compose("stop", "serve")
	if c := inspect(t, named("serve")); c.State.ExitCode != 0 {
		t.Errorf("serve, told to stop, ended with %d", c.State.ExitCode)
	}
}

// checkAPI asks the API from this machine, with and without the token.
func checkAPI(t *testing.T, ca string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: must.Get(certs.Files{CA: ca}.Client())(t), DisableKeepAlives: true}
	for token, want := range map[string]int{"": http.StatusUnauthorized, "secret-to-read-0123456789abcdef01234": http.StatusOK} {
		const address = "https://127.0.0.1:8440/api/v1/rounds/latest/rewards"
		request := must.Get(http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil))(t)
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := transport.RoundTrip(request)
		must.Do(t, err)
		must.Do(t, response.Body.Close())
		if response.StatusCode != want {
			t.Errorf("the API, token %q: %d, want %d", token, response.StatusCode, want)
		}
	}
}
