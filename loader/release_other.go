//go:build !linux

package loader

// releasePages does nothing: the system has no such advice.
func releasePages([]byte) {}
