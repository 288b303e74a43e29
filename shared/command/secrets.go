package command

import (
	"net/url"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"mirrorfleet/shared/secret"
)

// NATSFiles names the flags of the files for TLS and credentials of NATS.
func NATSFiles() []string {
	return []string{"nats-ca", "nats-cert", "nats-key", "nats-password-file", "nats-creds", "nats-nkey"}
}

// RedisFiles names the flags of the files for TLS and credentials of Redis.
func RedisFiles() []string {
	return []string{"redis-ca", "redis-cert", "redis-key", "redis-password-file"}
}

// natsFiles are the flags of NATSFiles.
func natsFiles() []cli.Flag {
	return []cli.Flag{
		serverFile("nats-ca", "`FILE` with the CA of NATS' certificate; without it, the system's CAs"),
		serverFile("nats-cert", "`FILE` with this process's certificate for NATS"),
		serverFile("nats-key", "`FILE` with the key of --nats-cert"),
		serverFile("nats-password-file", "`FILE` with the password of the user in --nats"),
		serverFile("nats-creds", "`FILE` with the credentials of a NATS user: a JWT and its key"),
		serverFile("nats-nkey", "`FILE` with the seed of a NATS user's nkey"),
	}
}

// redisFiles are those of RedisFiles.
func redisFiles() []cli.Flag {
	return []cli.Flag{
		serverFile("redis-ca", "`FILE` with the CA of Redis' certificate, for rediss://; without it, the system's CAs"),
		serverFile("redis-cert", "`FILE` with this process's certificate for Redis"),
		serverFile("redis-key", "`FILE` with the key of --redis-cert"),
		serverFile("redis-password-file", "`FILE` with the password of the user in --redis"),
	}
}

func serverFile(name, usage string) cli.Flag {
	return &cli.StringFlag{
		Name:      name,
		Category:  GroupServers,
		Sources:   Env(name),
		TakesFile: true,
		Usage:     usage,
	}
}

// urls are the settings whose value is a URL that may hold a password. A setting whose
// name ends with one, such as producer-nats, is of the same kind.
var urls = []string{"nats", "redis"} //nolint:gochecknoglobals // a list

// urlOf is the kind of URL that a setting holds, "" for other settings.
func urlOf(setting string) string {
	for _, kind := range urls {
		if setting == kind || strings.HasSuffix(setting, "-"+kind) {
			return kind
		}
	}
	return ""
}

// holdsSecret says whether a URL holds a password; for NATS it may be a list with commas.
// NATS takes a user without a password for a token, which is a secret too, unless the
// password is elsewhere (in a file). A URL that cannot be parsed counts as secret if it
// has an @.
func holdsSecret(kind, value string, elsewhere bool) bool {
	servers := []string{value}
	if kind == "nats" {
		servers = strings.Split(value, ",")
	}
	for i, one := range servers {
		one = strings.TrimSpace(one)
		schemed := strings.Contains(one, "://")
		if !schemed {
			one = kind + "://" + one
		}
		u, err := url.Parse(one)
		if err != nil || i > 0 && !schemed {
			if strings.Contains(one, "@") {
				return true // perhaps a password with a comma that was not written as %2C
			}
			continue
		}
		password, has := u.User.Password()
		misread := strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") // a / or ? in a password ended the host
		if has && password != "" || misread || u.User != nil && !has && kind == "nats" && !elsewhere {
			return true
		}
	}
	return false
}

// noSecretInArguments refuses a password that was given by a flag: every user of the
// machine can see the arguments of its processes. The value is compared with the
// arguments, because the same flag may have come from the environment or the file.
func noSecretInArguments(c *cli.Command, args []string) error {
	for _, flag := range c.Flags {
		name := flag.Names()[0]
		kind := urlOf(name)
		if kind == "" || !holdsSecret(kind, c.String(name), c.String(name+"-password-file") != "") {
			continue
		}
		value := c.String(name)
		if slices.ContainsFunc(args, func(arg string) bool { return arg == value || strings.HasSuffix(arg, "="+value) }) {
			return Usage("--%s holds a password, and every user of this machine can see the arguments of this process: %s",
				name, elsewhere(c, name))
		}
	}
	return nil
}

// elsewhere says in which other ways the command takes the password of a URL.
func elsewhere(c *cli.Command, name string) string {
	how := "give the URL as " + variable(name) + " or in the file of --config"
	if file := name + "-password-file"; slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return f.Names()[0] == file }) {
		how += ", or leave the password out and name its file with --" + file
	}
	return how
}

// notExposed refuses a configuration file that holds a password and that other users can
// read. A file without one may be readable by all.
func notExposed(path string, entries []entry) error {
	if holdPassword(entries) {
		return secret.Check(path)
	}
	return nil
}

// holdPassword says whether one of a configuration's settings holds a password.
func holdPassword(entries []entry) bool {
	return slices.ContainsFunc(entries, func(e entry) bool {
		kind := urlOf(e.key)
		return kind != "" && slices.ContainsFunc(e.values, func(v value) bool { return holdsSecret(kind, v.text, true) })
	})
}

// secretFiles are the flags of files that hold a secret. A new one must be added here, or
// Loose does not look at it.
//
//nolint:gochecknoglobals // a list
var secretFiles = []string{
	"tokens", "api-token-file", "api-read-token-file", "api-key", "signing-key",
	"nats-key", "nats-password-file", "nats-creds", "nats-nkey", "redis-key", "redis-password-file",
}

// NamedFile splits NAME=FILE. A file without a name may have a = behind its first slash.
func NamedFile(entry string) (name, path string) {
	name, path, named := strings.Cut(entry, "=")
	if !named || strings.Contains(name, "/") {
		return "", entry
	}
	return name, path
}

// Loose lists the secret files of a command that more users can read than need to, each
// as a line that says how to correct it. A configuration that holds a password is one of
// them. These are warnings: files that everybody can read have been refused before.
func Loose(c *cli.Command) []string {
	var lines []string
	add := func(path string) {
		if line := secret.Loose(path); path != "" && line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	for _, name := range secretFiles {
		add(c.String(name))
		for _, entry := range c.StringSlice(name) {
			_, path := NamedFile(entry)
			add(path)
		}
	}
	path := c.String("config")
	if path == "" {
		return lines
	}
	if data, err := readConfig(path); err == nil { // it was read and checked before the command began
		if entries, err := parseConfig(data); err == nil && holdPassword(entries) {
			add(path)
		}
	}
	return lines
}
