package main

import (
	"fmt"
	"os"
	"strings"
)

// memory reads /proc/meminfo.
func memory() (m memoryInfo) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return m
	}
	for line := range strings.Lines(string(b)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "MemTotal: %d kB", &kib); n == 1 {
			m.Total = kib << 10
		}
		if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); n == 1 {
			m.Available = kib << 10
		}
	}
	return m
}
