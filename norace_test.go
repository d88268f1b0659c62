//go:build !race

package mminfer

const raceEnabled = false
