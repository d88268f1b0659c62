package cputime

import (
	"syscall"
	"time"
)

// Thread returns the processor time that this thread has used, which other work does not lengthen
// much; elsewhere than on Linux it is the time.
func Thread() time.Duration {
	const rusageThread = 1
	var u syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &u); err != nil {
		return 0 // there is no other error than of an address
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
