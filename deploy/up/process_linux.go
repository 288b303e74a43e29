package main

import "syscall"

// attributes keep the terminal's Ctrl-C from the process, because the fleet stops its processes
// in order. They also make Linux kill it when this process ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
