package main_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/certs/certstest"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// composed is one service of the compose file: the parts that the tests check.
type composed struct {
	Image       string            `yaml:"image"`
	User        string            `yaml:"user"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []mount           `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	Networks    []string          `yaml:"networks"`
}

// mount is a volume of a service, in the short form or in the long one.
type mount struct {
	Type     string `yaml:"type"`
	Source   string `yaml:"source"`
	Target   string `yaml:"target"`
	ReadOnly bool   `yaml:"read_only"`
	Bind     struct {
		Create *bool `yaml:"create_host_path"`
	} `yaml:"bind"`
}

// UnmarshalYAML reads both forms. In the short form a source that begins like a path is a
// path, and any other is a volume's name.
func (m *mount) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.ScalarNode {
		type long mount
		return node.Decode((*long)(m))
	}
	source, rest, _ := strings.Cut(node.Value, ":")
	target, mode, _ := strings.Cut(rest, ":")
	*m = mount{Type: "volume", Source: source, Target: target, ReadOnly: mode == "ro"}
	if strings.ContainsAny(source[:1], "./~") {
		m.Type = "bind"
	}
	return nil
}

// placeholder is ${NAME:-default}, ${NAME-default} or ${NAME:?message}.
var placeholder = regexp.MustCompile(`\$\{([A-Z_]+)(?::?([-?])([^}]*))?\}`)

// passwords are the variables that the compose file requires.
var passwords = map[string]string{
	"NATS_PRODUCER_PASSWORD": "p", "NATS_WORKER_PASSWORD": "w", "NATS_VIEWER_PASSWORD": "v", "NATS_ADMIN_PASSWORD": "a", "GRAFANA_PASSWORD": "g",
	"REDIS_PRODUCER_PASSWORD": "p", "REDIS_WORKER_PASSWORD": "w",
}

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

// The command lines and environments of the compose file run a round and serve one, with
// other addresses. This needs no container, and shows that they fit the commands.
func TestTheComposeFileRunsARound(t *testing.T) {
	t.Parallel()
	given := maps.Clone(passwords)
	maps.Copy(given, map[string]string{"MIRROR": "http://mirror:8080", "EGRESS": "composed", "WORLD": "case:" + settledCase})
	services := compose(t, given)
	servers := jobstreamtest.Start(t)
	world, inputs := t.TempDir(), t.TempDir()
	addresses := []string{
		"nats://producer:p@nats:4222", servers.NATSURL(), "nats://worker:w@nats:4222", servers.NATSURL(),
		"redis://producer:p@redis:6379/0", servers.RedisURL(), "redis://worker:w@redis:6379/0", servers.RedisURL(),
		"/world", world, "/inputs", inputs, "=:8440", "=127.0.0.1:0", "0.0.0.0:8080", "127.0.0.1:0", "http://otelcol:4318", "http://127.0.0.1:1",
		":9464", "127.0.0.1:" + strconv.Itoa(nettest.FreePort(t)),
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

	// The horizon is shorter than the product's, because a new bucket pauses for one
	// horizon.
	quick := []string{"MIRRORFLEET_LIMIT_HORIZON=1s"}
	declare(t, servers.NATSURL())
	// Each container has its own port 9464. Here all are processes of one machine.
	apart := func(args []string) []string { return append(args, "--listen=127.0.0.1:0") }
	composed := work(t, "composed", append(services["worker"].environ(fill), quick...), apart(args("worker", "worker"))...)
	producer := command(t, "producer", apart(args("producer", "producer"))...)
	producer.Env = append(append(append(producer.Env, services["producer"].environ(fill)...), quick...),
		"MIRRORFLEET_AS_OF="+sim.AsOf)
	out, err := producer.CombinedOutput()
	composed.stop()
	// An incomplete round is no failure here: some of the case's requests fail on
	// purpose.
	if code := producer.ProcessState.ExitCode(); code > 1 || !strings.Contains(string(out), "Rewards sum to") {
		t.Errorf("the producer of the compose file: exit %d, %v\n%s", code, err, out)
	}

	// No token is stored, so there is no job, and GitHub is not asked.
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

	// A command that `docker compose exec serve producer …` runs has the service's
	// environment, and does not try to listen at the service's own address.
	for _, args := range [][]string{{"rounds"}, {"limit"}, {"show", "latest"}, {"replay", "latest"}} {
		beside := command(t, "producer", args...)
		beside.Env = append(append(beside.Env, services["serve"].environ(fill)...), quick...)
		if out, err := beside.CombinedOutput(); err != nil {
			t.Errorf("%v beside the service: %v\n%s", args, err, out)
		}
	}
	served.stop(t)
}

// The things that the compose file names exist: files in the images' folders, and images
// by version. Nothing is open to other machines.
func TestTheComposeFileNamesWhatExists(t *testing.T) {
	t.Parallel()
	services := compose(t, passwords)
	names := slices.Sorted(maps.Keys(services))
	if want := []string{"backup", "doctor", "gateway", "grafana", "jaeger", "mirror", "nats", "otelcol", "producer", "prometheus", "redis", "round", "serve", "worker"}; !slices.Equal(names, want) {
		t.Errorf("services %v, want %v", names, want)
	}
	for _, name := range []string{"serve", "backup"} {
		if user := services[name].User; user != "0:0" {
			t.Errorf("%s runs as %q, to which the folders of root are closed", name, user)
		}
	}
	for name, s := range services {
		for _, m := range s.Volumes {
			needed := m.Type == "bind" && !strings.Contains(m.Source, "-is-not-set-") && (m.Bind.Create == nil || !*m.Bind.Create)
			if _, err := os.Stat(filepath.Join("..", "deploy", m.Source)); needed && err != nil {
				t.Errorf("%s: volume %+v: %v", name, m, err)
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
		"nats": {"nats/single.conf", "nats/start.sh", "check-passwords.sh"}, "redis": {"redis/start.sh", "check-passwords.sh"}, "grafana": {"observability/grafana/dashboards/mirrorfleet.json"},
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

// What a validator's own image may reach in the fleet is what it asks: the API and the gateway.
// It reaches no server of the fleet and nothing of its monitoring.
func TestTheComposeFileKeepsOthersOutside(t *testing.T) {
	t.Parallel()
	for name, service := range compose(t, passwords) {
		want := []string{"fleet"}
		if name == "serve" || name == "gateway" {
			want = []string{"fleet", "front"}
		}
		if !slices.Equal(service.Networks, want) {
			t.Errorf("%s is in the networks %v, want %v", name, service.Networks, want)
		}
	}
	for _, file := range []string{"compose.override.yaml", "compose.gateway.yaml"} {
		validator := composeFile(t, filepath.Join("..", "deploy", "validator", file), map[string]string{"MIRRORFLEET": "/opt/mirrorfleet"})["validator"]
		if !slices.Equal(validator.Networks, []string{"default", "front"}) {
			t.Errorf("%s puts the validator into %v, want the front alone beside its own", file, validator.Networks)
		}
	}
}

// INPUTS and ROUND are folders, with or without a leading "./". In the short form a
// folder's name was taken for an undeclared volume, and an unset variable for the demo's
// volume, which lacks the files. Now docker refuses a folder that does not exist. The
// path in its error says what to do.
func TestTheComposeFileMountsFolders(t *testing.T) {
	t.Parallel()
	for variable, service := range map[string]string{"INPUTS": "serve", "ROUND": "round"} {
		for value, want := range map[string]string{"inputs": "inputs", "/srv/validator/data": "/srv/validator/data", "": "./" + variable + "-is-not-set-in-.env"} {
			given := maps.Clone(passwords)
			if value != "" {
				given[variable] = value
			}
			m := compose(t, given)[service].Volumes[0]
			if m.Type != "bind" || m.Source != want || !m.ReadOnly || m.Bind.Create == nil || *m.Bind.Create {
				t.Errorf("%s=%q: %+v, want the folder %s, read-only, and not made where it is missing", variable, value, m, want)
			}
		}
	}
}

// A password that would break an address is refused before its server starts. The error
// names the variable and says what to do, without the password.
func TestTheComposeFileRefusesPasswords(t *testing.T) {
	t.Parallel()
	services := compose(t, passwords)
	for service, variable := range map[string]string{"nats": "NATS_VIEWER_PASSWORD", "redis": "REDIS_WORKER_PASSWORD"} {
		start := services[service].Command
		if len(start) < 4 || start[1] != "/etc/check-passwords.sh" {
			t.Fatalf("%s is started by %v, want its passwords checked", service, start)
		}
		check := func(password string) (int, string) {
			cmd := exec.CommandContext(t.Context(), "sh", filepath.Join("..", "deploy", "check-passwords.sh"), "echo", "started")
			cmd.Env = append(services[service].environ(strings.NewReplacer()), "PATH="+os.Getenv("PATH"), variable+"="+password,
				"LINES=of another\nTHE_FORGED_PASSWORD=zz/z\n")
			out, _ := cmd.CombinedOutput()
			return cmd.ProcessState.ExitCode(), string(out)
		}
		for _, password := range []string{"12345", "true", "1e9", "10k", "a-b.c_d~E"} {
			if code, out := check(password); code != 0 || out != "started\n" {
				t.Errorf("%s=%s: exit code %d, %s; want the server started", variable, password, code, out)
			}
		}
		for _, password := range []string{"", "zz/z", "zz@z", "zz,z", "zz'z", "zz z", "zz%z", "zz:z", "zz$z", "zz\nz", "zzé"} {
			code, out := check(password)
			if code != 2 || !strings.Contains(out, variable) || !strings.Contains(out, "openssl rand") || strings.Contains(out, "zz") {
				t.Errorf("%s=%s: exit code %d, %s; want 2, the variable, a remedy and no value", variable, password, code, out)
			}
		}
	}
}

// The validator's container starts as its image does, with the adapter before its
// program. An image that starts in another way is left alone. With VALIDATOR the start is
// the checkout's own.
func TestTheValidatorsContainerStartsTheAdapter(t *testing.T) {
	t.Parallel()
	folder := filepath.Join("..", "deploy", "validator")
	v := composeFile(t, filepath.Join(folder, "compose.override.yaml"), map[string]string{"MIRRORFLEET": ".."})["validator"]
	adapter := v.Volumes[0]
	if v.Environment["MIRRORFLEET_URL"] != "https://serve:8440" ||
		adapter.Type != "bind" || adapter.Source != "../deploy/validator" || adapter.Target != "/opt/mirrorfleet" || !adapter.ReadOnly {
		t.Errorf("address %q, volumes %v; want the service of compose.yaml, and the adapter read-only", v.Environment["MIRRORFLEET_URL"], v.Volumes)
	}
	if services := compose(t, passwords); !slices.Contains(services["serve"].Command, "--api=:8440") {
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
