//go:build !linux

package main

import "syscall"

// attributes keep the terminal's Ctrl-C from the process, because the fleet stops its processes
// in order.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
