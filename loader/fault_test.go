package loader

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

var errFault = errors.New("injected fault")

// faultyFS fails call number at of all to its files, reads at most a few bytes at a time,
// and counts the files that are open.
type faultyFS struct {
	fs.FS
	calls, at, open int
}

func (f *faultyFS) fail() error {
	f.calls++
	if f.calls-1 == f.at {
		return errFault
	}
	return nil
}

func (f *faultyFS) Open(name string) (fs.File, error) {
	if err := f.fail(); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	f.open++
	return &faultyFile{f, file}, nil
}

type faultyFile struct {
	fsys *faultyFS
	file fs.File
}

func (f *faultyFile) Stat() (fs.FileInfo, error) {
	if err := f.fsys.fail(); err != nil {
		return nil, err
	}
	return f.file.Stat()
}

func (f *faultyFile) Read(b []byte) (int, error) {
	if err := f.fsys.fail(); err != nil {
		return 0, err
	}
	return f.file.Read(b[:min(len(b), 37)])
}

func (f *faultyFile) Close() error {
	f.fsys.open--
	return f.file.Close()
}

// TestFaults makes every call of a load fail in turn.
func TestFaults(t *testing.T) {
	m := fstest.MapFS{}
	for name, data := range indexed(`{"a":"1.safetensors","b":"2.safetensors","c":"2.safetensors"}`) {
		m[name] = &fstest.MapFile{Data: []byte(data)}
	}
	m["config.json"] = &fstest.MapFile{Data: []byte("{}")}
	for at := 0; ; at++ {
		f := &faultyFS{FS: m, at: at}
		c, err := OpenFS(f, ".")
		if f.open != 0 {
			t.Fatalf("call %d: %d files left open", at, f.open)
		}
		if f.calls <= at {
			if err != nil || !slices.Equal(c.Names(), []string{"a", "b", "c"}) {
				t.Errorf("without a fault: %v, %v", c, err)
			}
			t.Logf("%d calls", at)
			return
		}
		if !errors.Is(err, errFault) || !strings.HasPrefix(err.Error(), "loader: ") {
			t.Errorf("call %d: error %v", at, err)
		}
	}
}

// liarFS claims another size than its file has.
type liarFS struct {
	data []byte
	size int64
}

func (l liarFS) Open(name string) (fs.File, error) {
	if name != "model.safetensors" {
		return nil, fs.ErrNotExist
	}
	f, err := fstest.MapFS{name: {Data: l.data}}.Open(name)
	return liarFile{struct {
		io.Reader
		io.Closer
	}{f, f}, f, l.size}, err
}

type liarFile struct {
	io.ReadCloser
	file fs.File
	size int64
}

func (l liarFile) Stat() (fs.FileInfo, error) {
	info, err := l.file.Stat()
	return liarInfo{info, l.size}, err
}

type liarInfo struct {
	fs.FileInfo
	size int64
}

func (l liarInfo) Size() int64 { return l.size }

// TestLyingSize checks that a file system's word about a size costs no memory.
func TestLyingSize(t *testing.T) {
	huge := []byte(tensorOf(`{"dtype":"U8","shape":[1125899906842624],"data_offsets":[0,1125899906842624]}`, 1<<20))
	small := []byte(shard("a"))
	for _, test := range []struct {
		name string
		fsys liarFS
		want string
	}{
		{"a petabyte", liarFS{huge, int64(len(huge)) - 1<<20 + 1<<50}, "found the end of the file after"},
		{"less than there is", liarFS{append(small, "more"...), int64(len(small))}, "found more than the"},
		{"less than a header", liarFS{small, 20}, "cut short"},
		{"negative", liarFS{small, -1}, "found -1 bytes"},
	} {
		before := allocated()
		_, err := OpenFS(test.fsys, ".")
		if n := allocated() - before; n > 16<<20 {
			t.Errorf("%s: allocated %d bytes", test.name, n)
		}
		if math.MaxInt == math.MaxInt32 {
			test.want = ""
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "model.safetensors: ") {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

// TestLargeFiles reads files above the chunk size, whole where they can be read at any place
// and else in parts.
func TestLargeFiles(t *testing.T) {
	const n = 20_000_000
	large := tensorOf(`{"dtype":"U8","shape":[20000000],"data_offsets":[0,20000000]}`, n/2)
	large += strings.Repeat("e", n/2)
	for name, fsys := range map[string]fs.FS{
		"parts": liarFS{[]byte(large), int64(len(large))},
		"whole": fstest.MapFS{"model.safetensors": {Data: []byte(large)}},
	} {
		before := allocated()
		c, err := OpenFS(fsys, ".")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		most := uint64(n + 1<<20)
		if name == "parts" {
			most = 2*n + 1<<20
		}
		if got := allocated() - before; got > most {
			t.Errorf("%s: allocated %d bytes for %d", name, got, n)
		}
		if string(c.tensors[0].Data) != large[len(large)-n:] {
			t.Errorf("%s: other bytes", name)
		}
	}
}
