package loader

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"
)

// sniffLen is how many bytes at the start of a file tell its kind.
const sniffLen = 512

// kind is what the contents of a file that is no safetensors file look like.
type kind struct {
	what   string // empty if they look like nothing known
	next   string // what to do about it
	pickle bool   // whether it holds a pickle
}

// sniff recognises, by its first bytes, what people have in place of a safetensors file.
func sniff(b []byte) kind {
	const convert = "convert it to safetensors where it was made, and load that"
	trimmed := bytes.ToLower(bytes.TrimLeft(b, " \t\r\n\ufeff"))
	switch {
	case bytes.HasPrefix(b, []byte("PK\x03\x04")) && bytes.Contains(b, []byte("data.pkl")):
		return kind{"a PyTorch archive with a pickle inside, which can run code when it is read", convert, true}
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		return kind{"a zip archive", "unpack it", false}
	case len(b) >= 2 && b[0] == 0x80 && 1 < b[1] && b[1] < 6:
		return kind{"a pickle, which can run code when it is read", convert, true}
	case bytes.HasPrefix(b, []byte(ggufMagic)):
		return kind{"a GGUF file", "open that file by its name", false}
	case bytes.HasPrefix(b, []byte("version https://git-lfs.github.com/spec/")):
		return kind{"a Git LFS pointer in place of the file", "run git lfs pull", false}
	case bytes.HasPrefix(trimmed, []byte("<!doctype")), bytes.HasPrefix(trimmed, []byte("<html")), bytes.HasPrefix(trimmed, []byte("<?xml")):
		return kind{"an HTML or XML page", "fetch the file itself and not the page about it", false}
	case bytes.HasPrefix(trimmed, []byte("{")) && !bytes.ContainsFunc(b[:min(len(b), 16)], isControl):
		return kind{"JSON text", "fetch the file itself", false}
	}
	return kind{}
}

// isControl reports whether r is no part of a text.
func isControl(r rune) bool {
	return r < ' ' && !strings.ContainsRune("\t\r\n", r) || r == utf8.RuneError
}

// maxSniffed bounds how many files of a directory are looked into for an error message.
const maxSniffed = 100

// noWeights explains what the directory holds instead of weights that can be loaded.
func (d directory) noWeights() error {
	const expected = "expected model.safetensors or model.safetensors.index.json"
	entries, err := fs.ReadDir(d.fsys, ".")
	if err != nil {
		return fmt.Errorf("%s: %w", d.label, err)
	}
	other := ""
	for _, e := range entries[:min(len(entries), maxSniffed)] {
		if strings.HasSuffix(e.Name(), ".safetensors") {
			other = fmt.Sprintf("%s: found only %s, %s; open that file by its name if it is meant", d.label, quote(e.Name()), expected)
		}
		if k := d.sniffFile(e.Name()); k.pickle || k.what != "" && strings.HasSuffix(e.Name(), ".gguf") {
			return fmt.Errorf("%s: found %s, %s; %s", d.path(e.Name()), k.what, expected, k.next)
		}
	}
	if other != "" {
		return errors.New(other)
	}
	return fmt.Errorf("%s: found no weights, %s; give the directory that holds them", d.label, expected)
}

// sniffFile looks at the start of a file; one that cannot be read looks like nothing.
func (d directory) sniffFile(name string) kind {
	f, err := d.open(name)
	if err != nil {
		return kind{}
	}
	defer f.close()
	b, err := f.next(min(f.left, sniffLen))
	if err != nil {
		return kind{}
	}
	return sniff(b)
}

// isGGUF reports whether the named file begins as a GGUF file.
func (d directory) isGGUF(name string) (bool, error) {
	f, err := d.open(name)
	if err != nil {
		return false, err
	}
	defer f.close()
	b, err := f.next(min(f.left, int64(len(ggufMagic))))
	if err != nil {
		return false, fmt.Errorf("%s: %w", f.path, err)
	}
	return string(b) == ggufMagic, nil
}

// onlyGGUF returns the name of the only GGUF file in the directory, "" if it has none or other
// weights.
func (d directory) onlyGGUF() (name string, err error) {
	entries, err := fs.ReadDir(d.fsys, ".")
	if err != nil {
		return "", nil // loading says so
	}
	for _, e := range entries {
		switch {
		case strings.HasSuffix(e.Name(), ".safetensors"):
			return "", nil
		case !strings.HasSuffix(e.Name(), ".gguf"):
		case name != "":
			return "", fmt.Errorf("%s: found several GGUF files, %s and %s, expected one; give the path of the one that is meant", d.label, quote(name), quote(e.Name()))
		default:
			name = e.Name()
		}
	}
	return name, nil
}
