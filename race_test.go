//go:build race

package mminfer

const raceEnabled = true
