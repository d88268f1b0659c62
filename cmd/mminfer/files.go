package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mminfer/mminfer"
)

// replaceFile writes a file of the given name so that at any moment the name holds the old
// contents or all of the new: they are written beside it, brought to the disk and renamed. Who may read the file is as if it had been
// written in place: what was there before says it, and else the process's umask.
func (a *app) replaceFile(name string, write func(w io.Writer) error) (err error) {
	a.saving.Lock()
	defer a.saving.Unlock()
	f, err := createBeside(name)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // it is closed already unless writing failed
			_ = os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := errors.Join(write(w), w.Flush()); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// createBeside creates a file of another name in the directory of the named one, with its permissions if it exists.
func createBeside(name string) (f *os.File, err error) {
	const tries = 100
	for range tries {
		beside := filepath.Join(filepath.Dir(name), fmt.Sprintf(".%s.%d", filepath.Base(name), rand.Uint64()))
		if f, err = os.OpenFile(beside, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666); !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if old, err := os.Stat(name); err == nil && old.Mode().IsRegular() {
		_ = f.Chmod(old.Mode().Perm()) // where the system has no such thing, all files are alike
	}
	return f, nil
}

// syncDir brings a directory's entries to the disk, where the system knows such a thing.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "wasip1" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// checkFolder tells before a long computation that a file cannot be written after it.
func checkFolder(name string) error {
	info, err := os.Stat(filepath.Dir(name))
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory", filepath.Dir(name))
	}
	if err == nil {
		if info, e := os.Stat(name); e == nil && info.IsDir() {
			err = fmt.Errorf("%s is a directory", name)
		}
	}
	return err
}

// saveSession stores a session in a file.
func (a *app) saveSession(s *mminfer.Session, name string) error {
	if err := a.replaceFile(name, s.Save); err != nil {
		return fmt.Errorf("the session was not saved: %w", err)
	}
	return nil
}

// loadSession restores a session from a file, which holds nothing else.
func loadSession(e *mminfer.Engine, name string) (*mminfer.Session, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := e.Load(f)
	if err == nil {
		if _, end := f.Read(make([]byte, 1)); end != io.EOF {
			err = fmt.Errorf("%w: bytes after its end", mminfer.ErrCorrupt)
		}
	}
	switch {
	case errors.Is(err, mminfer.ErrOtherModel):
		return nil, fmt.Errorf("%s: the session belongs to another model, tokenizer or format of weights, keys and values; open it with the -m, --quant and --kv it was saved with", name)
	case errors.Is(err, mminfer.ErrCorrupt):
		return nil, fmt.Errorf("%s: not a session file, or a damaged one (%w); the file was left as it is", name, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// readText reads a text from the arguments, from a file ("-" is standard input) or, where that
// is a file or a pipe, from standard input. Without any it returns found false.
func (a *app) readText(args []string, file string) (text string, found bool, err error) {
	var b []byte
	switch {
	case len(args) > 0 && file != "":
		return "", false, usagef("a prompt as an argument and -f FILE exclude each other")
	case len(args) > 0:
		return strings.Join(args, " "), true, nil
	case file == "" && (a.stdin == nil || !piped(a.stdin)):
		return "", false, nil
	case file == "" || file == "-":
		b, err = io.ReadAll(a.stdin)
	default:
		b, err = os.ReadFile(file)
	}
	return string(b), err == nil, err
}

// piped reports whether a stream has an end of its own: a file or a pipe, not a terminal or the
// null device.
func piped(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return true
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice == 0
}

// withoutNewline drops the line end that editors and echo put after a text.
func withoutNewline(text string) string {
	text = strings.TrimSuffix(text, "\n")
	return strings.TrimSuffix(text, "\r")
}
