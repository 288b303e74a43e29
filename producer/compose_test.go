package main_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/certs/certstest"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// composed is one service of the compose file, as far as it is ours to check.
type composed struct {
	Image       string            `yaml:"image"`
	User        string            `yaml:"user"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
}

// placeholder is ${NAME:-default}, ${NAME-default} or ${NAME:?message}.
var placeholder = regexp.MustCompile(`\$\{([A-Z_]+)(?::?([-?])([^}]*))?\}`)

// compose reads the compose file with these variables.
func compose(t *testing.T, variables map[string]string) map[string]composed {
	t.Helper()
	return composeFile(t, filepath.Join("..", "deploy", "compose.yaml"), variables)
}

func composeFile(t *testing.T, path string, variables map[string]string) map[string]composed {
	t.Helper()
	data := must.Get(os.ReadFile(path))(t)
	text := placeholder.ReplaceAllStringFunc(string(data), func(found string) string {
		parts := placeholder.FindStringSubmatch(found)
		if value, given := variables[parts[1]]; given {
			return value
		}
		if parts[2] == "?" {
			t.Errorf("%s is required, and this test has no value for it", parts[1])
		}
		return parts[3]
	})
	var file struct {
		Services map[string]composed `yaml:"services"`
	}
	must.Do(t, yaml.Unmarshal([]byte(text), &file))
	return file.Services
}

// environ is a service's environment, with addresses replaced.
func (c composed) environ(replace *strings.Replacer) (env []string) {
	for name, value := range c.Environment {
		env = append(env, name+"="+replace.Replace(value))
	}
	return env
}

// The command lines and environments of the compose file, with other addresses,
// run a round, and serve one: no container is needed to see that they fit the
// commands.
func TestTheComposeFileRunsARound(t *testing.T) {
	t.Parallel()
	services := compose(t, map[string]string{
		"NATS_PRODUCER_PASSWORD": "p", "NATS_WORKER_PASSWORD": "w", "NATS_VIEWER_PASSWORD": "v", "NATS_ADMIN_PASSWORD": "a", "GRAFANA_PASSWORD": "g",
		"REDIS_PRODUCER_PASSWORD": "p", "REDIS_WORKER_PASSWORD": "w",
		"MIRROR": "http://mirror:8080", "EGRESS": "composed",
		"WORLD": "case:" + settledCase,
	})
	servers := jobstreamtest.Start(t)
	world, inputs := t.TempDir(), t.TempDir()
	addresses := []string{
		"nats://producer:p@nats:4222", servers.NATSURL(), "nats://worker:w@nats:4222", servers.NATSURL(),
		"redis://producer:p@redis:6379/0", servers.RedisURL(), "redis://worker:w@redis:6379/0", servers.RedisURL(),
		"/world", world, "/inputs", inputs, "=:8440", "=127.0.0.1:0", "0.0.0.0:8080", "127.0.0.1:0", ":9464", "127.0.0.1:0", "http://otelcol:4318", "http://127.0.0.1:1",
	}
	fill := strings.NewReplacer(addresses...)
	args := func(service, command string) (filled []string) {
		if services[service].Command[0] != command {
			t.Fatalf("service %s runs %v, want %s", service, services[service].Command, command)
		}
		for _, arg := range services[service].Command[1:] {
			filled = append(filled, fill.Replace(arg))
		}
		return filled
	}

	sim := fleettest.Simulate(t, args("mirror", "mirrorsim")...)
	fill = strings.NewReplacer(append(addresses, "http://mirror:8080", sim.URL)...)

	// A horizon shorter than in earnest: a bucket begins with a pause of one.
	quick := []string{"MIRRORFLEET_LIMIT_HORIZON=1s"}
	declare(t, servers.NATSURL())
	composed := work(t, "composed", append(services["worker"].environ(fill), quick...), args("worker", "worker")...)
	producer := command(t, "producer", args("producer", "producer")...)
	producer.Env = append(append(append(producer.Env, services["producer"].environ(fill)...), quick...),
		"MIRRORFLEET_AS_OF="+sim.AsOf)
	out, err := producer.CombinedOutput()
	composed.stop()
	// Incomplete is as good here: some of the case's requests fail on purpose.
	if code := producer.ProcessState.ExitCode(); code > 1 || !strings.Contains(string(out), "Rewards sum to") {
		t.Errorf("the producer of the compose file: exit %d, %v\n%s", code, err, out)
	}

	// Nobody has stored a token: there is no job, and nobody asks GitHub.
	registry := must.Get(os.ReadFile(filepath.Join(world, "master_repositories.json")))(t)
	for name, content := range map[string]string{
		"miner_pats.json": "[]", "metagraph.json": `{"0": "h0", "1": "h1"}`, "master_repositories.json": string(registry), "api-token": planted,
		"api-read-token": planted + "-to-read",
	} {
		write(t, filepath.Join(inputs, name), content)
	}
	ca := certstest.New(t)
	cert, key := ca.Issue(t, "serve")
	must.Do(t, os.Rename(cert, filepath.Join(inputs, "api-cert.pem")))
	must.Do(t, os.Rename(key, filepath.Join(inputs, "api-key.pem")))
	served := serve(t, append(services["serve"].environ(fill), quick...), args("serve", "producer")[1:]...)
	until(t, "a round is concluded", served.says("the round is concluded"))
	served.checkSecureAPI(t, certs.Files{CA: ca.File}, planted+"-to-read")
	served.stop(t)
}

// What the compose file names exists: files, in the images' folders; images by
// version; and nothing is open to other machines.
func TestTheComposeFileNamesWhatExists(t *testing.T) {
	t.Parallel()
	services := compose(t, map[string]string{
		"NATS_PRODUCER_PASSWORD": "p", "NATS_WORKER_PASSWORD": "w", "NATS_VIEWER_PASSWORD": "v", "NATS_ADMIN_PASSWORD": "a", "GRAFANA_PASSWORD": "g",
		"REDIS_PRODUCER_PASSWORD": "p", "REDIS_WORKER_PASSWORD": "w",
	})
	names := slices.Sorted(maps.Keys(services))
	if want := []string{"grafana", "jaeger", "mirror", "nats", "otelcol", "producer", "prometheus", "redis", "serve", "worker"}; !slices.Equal(names, want) {
		t.Errorf("services %v, want %v", names, want)
	}
	if user := services["serve"].User; user != "0:0" {
		t.Errorf("serve runs as %q, which may not read what the validator writes for root alone", user)
	}
	for name, s := range services {
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if strings.HasPrefix(source, ".") {
				if entries, err := os.ReadDir(filepath.Join("..", "deploy", source)); err != nil || len(entries) == 0 {
					t.Errorf("%s: volume %s: %v, want a folder with files", name, volume, err)
				}
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to other machines", name, port)
			}
		}
		if _, tag, _ := strings.Cut(s.Image, ":"); s.Image != "mirrorfleet" && (tag == "" || tag == "latest") {
			t.Errorf("%s: image %s, want a version", name, s.Image)
		}
	}
	modules := must.Get(os.ReadFile(filepath.Join("..", "go.mod")))(t)
	version := strings.TrimSuffix(strings.TrimPrefix(services["nats"].Image, "nats:"), "-alpine")
	if !strings.Contains(string(modules), "nats-server/v2 v"+version+"\n") {
		t.Errorf("the compose file has nats-server %s, which is not the one that the tests run with", version)
	}
	for service, files := range map[string][]string{
		"prometheus": {"observability/prometheus/prometheus.yml"}, "otelcol": {"observability/otelcol/config.yml"},
		"nats": {"nats/single.conf"}, "redis": {"redis/start.sh"}, "grafana": {"observability/grafana/dashboards/mirrorfleet.json"},
	} {
		for _, file := range files {
			if _, err := os.Stat(filepath.Join("..", "deploy", file)); err != nil {
				t.Errorf("%s: %v", service, err)
			}
			if all := strings.Join(append(services[service].Command, slices.Collect(maps.Values(services[service].Environment))...), " "); !strings.Contains(all, filepath.Base(file)) {
				t.Errorf("%s is not told of %s: %s", service, file, all)
			}
		}
	}
}

// The validator's container starts as its image has it, with the adapter before
// its program; an image that starts otherwise is left alone. With VALIDATOR it is
// the checkout's own start.
func TestTheValidatorsContainerStartsTheAdapter(t *testing.T) {
	t.Parallel()
	folder := filepath.Join("..", "deploy", "validator")
	v := composeFile(t, filepath.Join(folder, "compose.override.yaml"), map[string]string{"MIRRORFLEET": ".."})["validator"]
	if v.Environment["MIRRORFLEET_URL"] != "https://serve:8440" || !slices.Equal(v.Volumes, []string{"../deploy/validator:/opt/mirrorfleet:ro"}) {
		t.Errorf("address %q, volumes %v; want the service of compose.yaml, and the adapter read-only", v.Environment["MIRRORFLEET_URL"], v.Volumes)
	}
	if services := compose(t, map[string]string{"NATS_PRODUCER_PASSWORD": "p", "NATS_WORKER_PASSWORD": "w", "NATS_VIEWER_PASSWORD": "v", "NATS_ADMIN_PASSWORD": "a", "GRAFANA_PASSWORD": "g",
		"REDIS_PRODUCER_PASSWORD": "p", "REDIS_WORKER_PASSWORD": "w"}); !slices.Contains(services["serve"].Command, "--api=:8440") {
		t.Errorf("serve: %v, want its API at :8440", services["serve"].Command)
	}
	image := "#!/bin/bash\nset -e\nexec python neurons/validator.py \\\n  --netuid ${NETUID} \\\n  \"$@\"\n"
	if checkout := os.Getenv("VALIDATOR"); checkout != "" {
		data, err := os.ReadFile(filepath.Join(checkout, "scripts", "vali-entrypoint.sh"))
		if err != nil {
			t.Fatal(err)
		}
		image = string(data)
	}
	for start, want := range map[string]string{
		image: "/opt/mirrorfleet/mirrorfleet_validator.py neurons/validator.py --netuid 74",
		strings.Replace(image, "neurons/validator.py", "-m neurons", 1): "-m neurons --netuid 74",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "vali-entrypoint.sh"), start)
		write(t, filepath.Join(dir, "python"), "#!/bin/bash\necho \"$@\"\n")
		if err := os.Chmod(filepath.Join(dir, "python"), 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), v.Entrypoint[0], v.Entrypoint[1], strings.ReplaceAll(v.Entrypoint[2], "/app/scripts", dir))
		cmd.Env = []string{
			"PATH=" + dir + ":" + os.Getenv("PATH"), "NETUID=74", "WALLET_NAME=w", "HOTKEY_NAME=h", "SUBTENSOR_NETWORK=finney", "PORT=1",
			"LOG_LEVEL=info", "GITTENSOR_VALIDATOR_PAT=x",
		}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%v: python %s, want %s …", err, out, want)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "mirrorfleet_validator.py")); err != nil {
		t.Error(err)
	}
}
