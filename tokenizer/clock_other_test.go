//go:build !linux

package tokenizer

import (
	"testing"
	"time"
)

var start = time.Now()

// clock returns the time.
func clock(testing.TB) time.Duration { return time.Since(start) }
