package loader

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// directory is where a checkpoint's files lie; label is its name in errors.
type directory struct {
	fsys  fs.FS
	label string
}

// path names a file of the directory in errors.
func (d directory) path(name string) string { return path.Join(filepath.ToSlash(d.label), name) }

// file is an open file that is read from front to back.
type file struct {
	path   string
	handle fs.File
	size   int64  // bytes in all, at most MaxInt
	left   int64  // bytes not read yet
	whole  []byte // the bytes left, if they are in memory already
	unmap  func() error
}

// open opens a regular file. It looks before it opens, because opening a named pipe waits for
// a writer.
func (d directory) open(name string) (*file, error) {
	info, err := fs.Stat(d.fsys, name)
	if err == nil {
		err = checkRegular(info)
	}
	if err != nil {
		return nil, d.explain(name, err)
	}
	h, err := d.fsys.Open(name)
	if err != nil {
		return nil, d.explain(name, err)
	}
	f := &file{path: d.path(name), handle: h}
	if info, err = h.Stat(); err == nil {
		err = checkRegular(info)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.path, err), f.close())
	}
	f.size = info.Size()
	if b, ok := h.(interface{ Bytes() []byte }); ok {
		f.whole = b.Bytes()
		f.size = int64(len(f.whole))
	}
	f.left = f.size
	return f, nil
}

// checkRegular refuses what is not a file with bytes in it.
func checkRegular(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("found %s, expected a regular file", info.Mode())
	}
	if info.Size() < 0 || info.Size() > math.MaxInt {
		return fmt.Errorf("found %d bytes, expected at most %d on this machine", info.Size(), math.MaxInt)
	}
	return nil
}

// explain puts the path before an error about the named file. A symbolic link that cannot be
// followed is a fault of its own and not a missing file.
func (d directory) explain(name string, err error) error {
	if links, ok := d.fsys.(fs.ReadLinkFS); ok {
		if info, e := links.Lstat(name); e == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s: found a symbolic link that leaves the directory or leads nowhere, "+
				"expected a file inside; put a copy of the file in its place", d.path(name))
		}
	}
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s: %w", d.path(name), err)
}

// mapIn maps the file into memory if it is one of the system's and the system can.
func (f *file) mapIn() error {
	h, ok := f.handle.(*os.File)
	if !ok || f.whole != nil || f.size == 0 {
		return nil
	}
	data, unmap, err := mapFile(h, int(f.size))
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("map: %w", err)
	}
	f.whole, f.unmap = data, unmap
	return nil
}

// next returns the next n bytes, n <= f.left: a view if the file is in memory, else a copy.
func (f *file) next(n int64) ([]byte, error) {
	f.left -= n
	if f.whole != nil {
		b := f.whole[:n:n]
		f.whole = f.whole[n:]
		return b, nil
	}
	if n == 0 {
		return nil, nil
	}
	return readBytes(f.handle, int(n), f.size)
}

// end checks that a file that was read has nothing behind its stated size. Archives compare
// their checksum when the end is read.
func (f *file) end() error {
	if f.whole != nil {
		return nil
	}
	n, err := io.ReadFull(f.handle, make([]byte, 1))
	if n > 0 {
		return fmt.Errorf("found more than the %d bytes of its directory entry; fetch the file again", f.size)
	}
	if err != io.EOF {
		return err
	}
	return nil
}

// close closes the handle and leaves the mapping.
func (f *file) close() error { return f.handle.Close() }

// chunk is the most memory that is allocated on the word of a file's stated size.
const chunk = 8 << 20

// readBytes reads n bytes of a reader that claims to hold size in all. The claim is believed
// if the last byte can be read; otherwise memory grows with what arrives.
func readBytes(r io.Reader, n int, size int64) ([]byte, error) {
	if at, ok := r.(io.ReaderAt); ok && n > chunk {
		if _, err := at.ReadAt(make([]byte, 1), size-1); err == nil {
			return readFull(r, n)
		}
	}
	if n <= chunk {
		return readFull(r, n)
	}
	var parts [][]byte
	for left := n; left > 0; left -= chunk {
		part, err := readFull(r, min(left, chunk))
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	whole := make([]byte, 0, n)
	for _, part := range parts {
		whole = append(whole, part...)
	}
	return whole, nil
}

// readFull reads exactly n bytes.
func readFull(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("found the end of the file after %d of %d bytes; fetch the file again", got, n)
	}
	return b, err
}

// read returns the contents of the named file, at most limit bytes.
func (d directory) read(name string, limit int64) ([]byte, error) {
	f, err := d.open(name)
	if err != nil {
		return nil, err
	}
	defer f.close()
	if f.size > limit {
		return nil, fmt.Errorf("%s: found %d bytes, expected at most %d", f.path, f.size, limit)
	}
	data, err := f.next(f.size)
	if err == nil {
		err = f.end()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return data, nil
}

// isBaseName reports whether name is that of a file directly in a directory, on any system:
// no separator, drive letter, stream, NUL or dot name.
func isBaseName(name string) bool {
	return len(name) <= 255 && fs.ValidPath(name) && name != "." &&
		!strings.ContainsAny(name, "/\\:\x00") && filepath.IsLocal(name)
}

// quote quotes text from a file for an error message: printable, and not too long.
func quote[T string | []byte](s T) string {
	if len(s) > 80 {
		return fmt.Sprintf("%q...", string(s[:80]))
	}
	return fmt.Sprintf("%q", string(s))
}
