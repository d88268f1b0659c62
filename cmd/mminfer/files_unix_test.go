//go:build unix

package main

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestPermissions: files are for whom the umask says, and stay for whom they were.
func TestPermissions(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o027))
	name := filepath.Join(t.TempDir(), "file")
	a := newApp(nil, io.Discard, io.Discard, nil)
	for _, want := range []os.FileMode{0o640, 0o640, 0o604, 0o600} {
		if info, err := os.Stat(name); err == nil && info.Mode() != want {
			if err := os.Chmod(name, want); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.replaceFile(name, func(io.Writer) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("the file has mode %v, want %v (%v)", info.Mode(), want, err)
		}
	}
}
