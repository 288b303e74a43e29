//go:build !linux

package main

import "syscall"

// attributes keep the terminal's Ctrl-C from the process, which is ended in its order.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
