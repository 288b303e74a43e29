package command

import (
	"os"
	"os/user"
	"strconv"
)

// Operator names the person who runs this process to others: the user and the machine.
func Operator() string {
	name := strconv.Itoa(os.Getuid())
	if who, err := user.Current(); err == nil && who.Username != "" {
		name = who.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
