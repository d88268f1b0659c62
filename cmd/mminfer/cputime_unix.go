//go:build unix

package main

import "golang.org/x/sys/unix"

// cpuSeconds is the processor time of all threads so far.
func cpuSeconds() (seconds float64, ok bool) {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0, false
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9, true
}
