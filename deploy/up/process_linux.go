package main

import "syscall"

// attributes keep the terminal's Ctrl-C from the process, which is ended in its order, and
// end it with this one.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
