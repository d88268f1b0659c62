//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminal asks for the window's size, which only a terminal has.
func terminal(f *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

func colours(f *os.File) bool { return terminal(f) }
