package main_test

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit/redistest"
)

// The gateway of the compose file runs with its own command line and environment, at
// other addresses. It has the worker's user of Redis.
func TestTheComposeFileRunsTheGateway(t *testing.T) {
	t.Parallel()
	service := compose(t, passwords)["gateway"]
	if service.Command[0] != "mirrorgate" || !strings.HasPrefix(service.Environment["MIRRORFLEET_REDIS"], "redis://worker:") {
		t.Fatalf("the service runs %v with %v, want mirrorgate with the worker's user", service.Command, service.Environment)
	}
	sim := fleettest.Simulate(t)
	fill := strings.NewReplacer("redis://worker:w@redis:6379/0", redistest.Start(t).URL(), "http://otelcol:4318", "http://127.0.0.1:1",
		"=:8460", "=127.0.0.1:0", "=:9464", "=127.0.0.1:0", "https://mirror.gittensor.io", sim.URL)
	var args []string
	for _, arg := range service.Command[1:] {
		args = append(args, fill.Replace(arg))
	}
	cmd := fleettest.Command(context.WithoutCancel(t.Context()), t, "mirrorgate", args...)
	cmd.Env = append(append(cmd.Env, service.environ(fill)...), "MIRRORFLEET_LIMIT_HORIZON=1s")
	stdout := must.Get(cmd.StdoutPipe())(t)
	must.Do(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line := must.Get(bufio.NewReader(stdout).ReadString('\n'))(t)
	url := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), `{"url":"`), `"}`)
	if status, body := nettest.Get(t, url+"/api/v1/health"); status != http.StatusOK {
		t.Errorf("through %q: got %d %s, want the mirror's answer", line, status, body)
	}
}

// The validator's container replaces the mirror's address in its code by the gateway's,
// and then starts as its image does. An image without that constant is left alone. With
// VALIDATOR, start and code are the checkout's own.
func TestTheValidatorsContainerAsksTheGateway(t *testing.T) {
	t.Parallel()
	v := composeFile(t, filepath.Join("..", "deploy", "validator", "compose.gateway.yaml"), nil)["validator"]
	start, code := "#!/bin/bash\nset -e\nexec python neurons/validator.py \"$@\"\n", "A = 1\nGITTENSOR_MIRROR_DEFAULT_URL = 'https://mirror.gittensor.io'\nB = 2\n"
	if checkout := os.Getenv("VALIDATOR"); checkout != "" {
		start = string(must.Get(os.ReadFile(filepath.Join(checkout, "scripts", "vali-entrypoint.sh")))(t))
		code = string(must.Get(os.ReadFile(filepath.Join(checkout, "gittensor", "constants.py")))(t))
	}
	own, gateway := "'https://mirror.gittensor.io'", "'"+v.Environment["GATEWAY"]+"'"
	if gateway != "'http://gateway:8460'" || !strings.Contains(code, "GITTENSOR_MIRROR_DEFAULT_URL = "+own+"\n") {
		t.Fatalf("the gateway is %s, and the constant is not as it was known: look at the validator's constants.py", gateway)
	}
	for before, want := range map[string]string{
		code:                          strings.Replace(code, own, gateway, 1),
		"ANOTHER_URL = " + own + "\n": "ANOTHER_URL = " + own + "\n",
	} {
		dir := t.TempDir()
		must.Do(t, os.Mkdir(filepath.Join(dir, "gittensor"), 0o700))
		write(t, filepath.Join(dir, "gittensor", "constants.py"), before)
		write(t, filepath.Join(dir, "vali-entrypoint.sh"), start)
		write(t, filepath.Join(dir, "python"), "#!/bin/bash\necho started\n")
		for _, program := range []string{"python", "vali-entrypoint.sh"} {
			must.Do(t, os.Chmod(filepath.Join(dir, program), 0o700))
		}
		script := strings.ReplaceAll(strings.ReplaceAll(v.Entrypoint[2], "/app/scripts", dir), "$$", "$") // as Compose has it
		cmd := exec.CommandContext(t.Context(), v.Entrypoint[0], v.Entrypoint[1], script)
		cmd.Dir = dir
		cmd.Env = []string{
			"PATH=" + dir + ":" + os.Getenv("PATH"), "GATEWAY=" + v.Environment["GATEWAY"], "NETUID=74", "WALLET_NAME=w", "HOTKEY_NAME=h",
			"SUBTENSOR_NETWORK=finney", "PORT=1", "LOG_LEVEL=info", "GITTENSOR_VALIDATOR_PAT=x",
		}
		out, err := cmd.CombinedOutput()
		if got := string(must.Get(os.ReadFile(filepath.Join(dir, "gittensor", "constants.py")))(t)); err != nil || string(out) != "started\n" || got != want {
			t.Errorf("%v, %s: the code is\n%s\nwant\n%s", err, out, got, want)
		}
	}
}
