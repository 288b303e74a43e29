package systemd_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mirrorfleet/shared/must"
)

// listens are the addresses of health and metrics, by unit, as the shipped files set them.
func listens(t *testing.T) map[string]string {
	t.Helper()
	var settings struct {
		Producer struct {
			Serve struct {
				Listen string `yaml:"listen"`
			} `yaml:"serve"`
		} `yaml:"producer"`
		Gateway struct {
			Listen string `yaml:"listen"`
		} `yaml:"mirrorgate"`
	}
	must.Do(t, yaml.Unmarshal(must.Get(os.ReadFile("fleet.yaml"))(t), &settings))
	all := map[string]string{"producer": settings.Producer.Serve.Listen, "gateway": settings.Gateway.Listen}
	name, worker, _ := strings.Cut(setting(t, units(t)["mirrorfleet-worker@.service"], "Environment"), "=")
	if page := string(must.Get(os.ReadFile("../../docs/settings.md"))(t)); !strings.Contains(page, "worker | `"+name+"` |") {
		t.Errorf("the worker's unit sets %s, which docs/settings.md does not have", name)
	}
	for n := 1; n <= 9; n++ {
		all[fmt.Sprintf("worker %d", n)] = strings.ReplaceAll(worker, "%i", fmt.Sprint(n))
	}
	return all
}

// Workers had no port, because their instances could not share one, and MirrorfleetNoWorkers fired
// in ordinary rounds. Each unit has one of its own, and nobody else's machine reaches it.
func TestEachUnitHasAPortOfItsOwn(t *testing.T) {
	t.Parallel()
	of := map[string]string{"4222": "NATS", "6222": "NATS", "8222": "NATS", "6379": "Redis", "8440": "the API", "8460": "clients"}
	page := string(must.Get(os.ReadFile("../../docs/install.md"))(t))
	for unit, address := range listens(t) {
		host, port, err := net.SplitHostPort(address)
		if err != nil || host != "127.0.0.1" {
			t.Errorf("%s listens on %q, want 127.0.0.1 and a port: %v", unit, address, err)
		}
		if _, err := net.LookupPort("tcp", port); err != nil || of[port] != "" {
			t.Errorf("%s listens on port %q, which is of %q: %v", unit, port, of[port], err)
		}
		of[port] = unit
		if _, ofWorker := strings.CutPrefix(unit, "worker "); !ofWorker && !strings.Contains(page, "| `"+port+"` |") {
			t.Errorf("docs/install.md does not list port %s of the %s", port, unit)
		}
	}
}

// The example for hosts asked ports on which no unit listens, and had no gateway. Every target
// of it is a unit's, and each kind of unit is one.
func TestPrometheusAsksThePortsOfTheUnits(t *testing.T) {
	t.Parallel()
	var hosts struct {
		Scrape []struct {
			Static []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	path := filepath.Join("..", "observability", "prometheus", "hosts.yml")
	must.Do(t, yaml.Unmarshal(must.Get(os.ReadFile(path))(t), &hosts))
	unit := map[string]string{}
	for name, address := range listens(t) {
		_, port, _ := net.SplitHostPort(address)
		unit[port] = name
	}
	asked := map[string]bool{}
	for _, job := range hosts.Scrape {
		for _, static := range job.Static {
			for _, target := range static.Targets {
				host, port, _ := net.SplitHostPort(target)
				kind, _, _ := strings.Cut(unit[port], " ")
				if kind == "" || !strings.HasPrefix(host, kind+"-") {
					t.Errorf("hosts.yml asks %s, whose port is that of %q", target, unit[port])
				}
				asked[unit[port]] = true
			}
		}
	}
	for _, name := range []string{"producer", "gateway", "worker 1", "worker 2"} {
		if !asked[name] {
			t.Errorf("hosts.yml does not ask the port of %s", name)
		}
	}
}
