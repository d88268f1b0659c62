package cputime

import (
	"syscall"
	"time"
)

// Thread returns the processor time that this thread has used, which other work does not lengthen
// much; elsewhere than on Linux it is the time.
func Thread() time.Duration {
	const rusageThread = 1
	return used(rusageThread)
}

// Process does the same for all threads of the process.
func Process() time.Duration { return used(syscall.RUSAGE_SELF) }

func used(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0 // there is no other error than of an address
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
