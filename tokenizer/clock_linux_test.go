package tokenizer

import (
	"syscall"
	"testing"
	"time"
)

// clock returns the processor time of this thread, which other work on the machine does not
// lengthen much.
func clock(t testing.TB) time.Duration {
	const rusageThread = 1
	var u syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
