package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// describe says how each process is started. All settings of the product are in environment
// variables, as in compose.yaml, because arguments must not hold passwords.
func (f *fleet) describe() error {
	for _, node := range nodes {
		p, err := f.nats(node)
		if err != nil {
			return err
		}
		f.servers = append(f.servers, p)
	}
	f.servers = append(f.servers, f.process("redis", "", []string{
		"sh", filepath.Join(f.deploy, "redis", "start.sh"), "--bind", "127.0.0.1", "--tls-port", port(f.addresses["redis"]),
	},
		"REDIS_PRODUCER_PASSWORD="+f.passwords["REDIS_PRODUCER"], "REDIS_WORKER_PASSWORD="+f.passwords["REDIS_WORKER"],
		"REDIS_TLS_CA="+f.ca.File, "REDIS_TLS_CERT="+f.secret("redis.pem"), "REDIS_TLS_KEY="+f.secret("redis-key.pem"),
	))
	f.mirror = f.process("mirror", "http://"+f.addresses["mirror"]+"/sim/stats", []string{
		f.command("mirrorsim"), "--addr", f.addresses["mirror"], "--write", filepath.Join(f.dir, "world"),
	})
	for i := range 2 {
		name := fmt.Sprintf("producer-%d", i+1)
		f.producers = append(f.producers, f.member(name, 0, "producer", f.serve(i+1)...))
	}
	for i := range 4 {
		name := fmt.Sprintf("worker-%d", i+1)
		f.others = append(f.others, f.member(name, i/2, "worker",
			f.command("worker"), "--name", name, "--grace", drain.String(), "--children", "1"))
	}
	for i, egress := range egresses {
		name := "gateway-" + egress
		f.others = append(f.others, f.member(name, i, "worker",
			f.command("mirrorgate"), "--name", name, "--addr", f.addresses[name], "--drain", drain.String()))
	}
	return f.environment()
}

// serve describes a producer. The metagraph's file is as old as the fleet, so it may be as old
// as the certificates (valid).
//
// The demo world was recorded: it serves the same lists at any time, with issues that lie outside
// the windows of today. The one answer on all issues goes by their dates, so a replay, which does
// not use it, would come to another outcome.
func (f *fleet) serve(n int) []string {
	world := filepath.Join(f.dir, "world")
	return []string{
		f.command("producer"), "serve", "--every", f.every.String(), "--warm-up", "0", "--all-issues", "0", "--replicas", "3",
		"--egresses", strings.Join(egresses, ","), "--takeover", "5s", "--lease", "10s", "--reconcile", "5s",
		"--registry", filepath.Join(world, "master_repositories.json"),
		"--tokens", f.secret("miner_pats.json"), "--metagraph", filepath.Join(world, "metagraph.json"), "--metagraph-max-age", valid.String(),
		"--github", f.github.url, "--api", f.addresses[fmt.Sprintf("api-%d", n)], "--api-token-file", "you=" + f.secret("api-token"),
	}
}

// member describes a process of the product, with the addresses and users by which its role
// reaches the servers. Each egress has an address of its own, because the mirror counts by
// address.
func (f *fleet) member(name string, egress int, role string, args ...string) *process {
	health := f.addresses[name+" health"]
	return f.process(name, "http://"+health+"/readyz", args, slices.Concat(f.role(role), way(egress), []string{
		"MIRRORFLEET_LISTEN=" + health, "MIRRORFLEET_GRAMMARS=" + f.grammars,
	})...)
}

// way returns the variables that make a process send from an egress.
func way(egress int) []string {
	return []string{"MIRRORFLEET_EGRESS=" + egresses[egress], "MIRRORFLEET_SOURCE_ADDRESS=" + sources[egress]}
}

// role returns the environment for a role.
func (f *fleet) role(role string) []string {
	name := strings.ToUpper(role)
	env := []string{
		"MIRRORFLEET_MIRROR=http://" + f.addresses["mirror"],
		"MIRRORFLEET_NATS=" + f.natsURLs(role),
		"MIRRORFLEET_NATS_CA=" + f.ca.File, "MIRRORFLEET_NATS_CERT=" + f.secret(role+".pem"), "MIRRORFLEET_NATS_KEY=" + f.secret(role+"-key.pem"),
	}
	if role == "viewer" {
		return env // it has no business with Redis
	}
	return append(env,
		fmt.Sprintf("MIRRORFLEET_REDIS=rediss://%s:%s@%s/0", role, f.passwords["REDIS_"+name], f.addresses["redis"]),
		"MIRRORFLEET_REDIS_CA="+f.ca.File, "MIRRORFLEET_REDIS_CERT="+f.secret(role+".pem"), "MIRRORFLEET_REDIS_KEY="+f.secret(role+"-key.pem"))
}

// natsURLs returns the servers' addresses, with the user and the password of a role.
func (f *fleet) natsURLs(role string) string {
	var urls []string
	for _, node := range nodes {
		urls = append(urls, fmt.Sprintf("nats://%s:%s@%s", role, f.passwords["NATS_"+strings.ToUpper(role)], f.addresses[node]))
	}
	return strings.Join(urls, ",")
}

// environment writes a file for each role that a shell reads to work in it: env of the
// producer, and two others.
func (f *fleet) environment() error {
	for _, role := range roles {
		env := slices.Concat(f.role(role), way(0), []string{"MIRRORFLEET_GRAMMARS=" + f.grammars, "FLEET=" + f.dir})
		if role == "producer" {
			env = append(env, "MIRRORFLEET_WORKER_NATS="+f.natsURLs("worker"))
		}
		var text strings.Builder
		fmt.Fprintf(&text, "# Secrets: the servers of this fleet as a %s reaches them. In a shell: . %s/%s.env\n", role, f.dir, role)
		for _, line := range env {
			name, value, _ := strings.Cut(line, "=")
			fmt.Fprintf(&text, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
		}
		fmt.Fprintf(&text, "PATH='%s':$PATH\n", strings.ReplaceAll(f.bin, "'", `'\''`))
		if err := f.write(role+".env", text.String()); err != nil {
			return err
		}
	}
	return nil
}

// nats describes a server of the cluster. It has the shipped files in a folder of its own,
// because three servers on one machine cannot listen on the same port.
func (f *fleet) nats(name string) (*process, error) {
	dir := filepath.Join(f.dir, name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(f.deploy, "nats"))); err != nil {
		return nil, fmt.Errorf("the files of %s: %w", name, err)
	}
	path := filepath.Join(dir, "cluster-tls.conf")
	text, err := os.ReadFile(path) //nolint:gosec // in the folder that was just written
	if err != nil {
		return nil, fmt.Errorf("the files of %s: %w", name, err)
	}
	here := string(text)
	for shipped, address := range map[string]string{
		"0.0.0.0:4222": f.addresses[name], "0.0.0.0:6222": f.addresses[name+" route"], "127.0.0.1:8222": f.addresses[name+" http"],
	} {
		if strings.Count(here, shipped) != 1 {
			return nil, fmt.Errorf("%s does not listen on %s once, as it is shipped", path, shipped)
		}
		here = strings.Replace(here, shipped, address, 1)
	}
	if err := f.write(filepath.Join(name, "cluster-tls.conf"), here); err != nil {
		return nil, err
	}
	env := []string{
		"NATS_NAME=" + name, "NATS_STORE=" + filepath.Join(dir, "store"), "PATH=" + filepath.Dir(f.natsServer) + ":" + os.Getenv("PATH"),
		"NATS_TLS_CA=" + f.ca.File, "NATS_TLS_CERT=" + f.secret(name+".pem"), "NATS_TLS_KEY=" + f.secret(name+"-key.pem"), "NATS_TLS_VERIFY=true",
	}
	for _, user := range users {
		if strings.HasPrefix(user, "NATS_") {
			env = append(env, user+"_PASSWORD="+f.passwords[user])
		}
	}
	for i, other := range nodes {
		env = append(env, fmt.Sprintf("NATS_ROUTE_%d=nats://route:%s@%s", i+1, f.passwords["NATS_ROUTE"], f.addresses[other+" route"]))
	}
	return f.process(name, "http://"+f.addresses[name+" http"]+"/healthz",
		[]string{"sh", filepath.Join(dir, "start.sh"), "-c", path}, env...), nil
}

func (f *fleet) process(name, page string, args []string, env ...string) *process {
	return &process{
		name: name,
		args: args,
		env:  append(env, "TMPDIR="+filepath.Join(f.dir, "tmp")),
		page: page,
		dir:  f.dir,
	}
}

func (f *fleet) command(name string) string { return filepath.Join(f.bin, name) }

func (f *fleet) secret(name string) string { return filepath.Join(f.dir, "secrets", name) }

// port returns the port of an address.
func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }
