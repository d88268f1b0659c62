//go:build !linux

package cputime

import "time"

var start = time.Now()

// Thread returns the time.
func Thread() time.Duration { return time.Since(start) }

// Process returns the time.
func Process() time.Duration { return time.Since(start) }
