package loader

import (
	"archive/zip"
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

//go:embed testdata/config.json testdata/model.safetensors
var embedded embed.FS

// checkGolden checks a checkpoint of testdata against the file itself.
func checkGolden(t *testing.T, c *Checkpoint) {
	t.Helper()
	want := readTestdata(t, "model.safetensors")
	compareWithJSON(t, want, c.tensors)
	if !bytes.Equal(c.Config(), readTestdata(t, "config.json")) {
		t.Errorf("Config() = %s", c.Config())
	}
	names := c.Names()
	if len(names) != 57 || !slices.IsSorted(names) {
		t.Errorf("Names() = %d names, want 57, sorted", len(names))
	}
	if n := c.Bytes(); n != 48560 {
		t.Errorf("Bytes() = %d", n)
	}
	for _, name := range names {
		if ts, ok := c.Tensor(name); !ok || ts.Name != name {
			t.Errorf("Tensor(%q) = %v, %v", name, ts, ok)
		}
	}
	if ts, ok := c.Tensor("lm_head"); ok {
		t.Errorf("Tensor(lm_head) = %v, want none", ts)
	}
	if v, ok := c.Metadata("format"); v != "pt" || !ok {
		t.Errorf("Metadata(format) = %q, %v", v, ok)
	}
	if b, err := c.File("config.json"); err != nil || !bytes.Equal(b, c.Config()) {
		t.Errorf("File(config.json) = %s, %v", b, err)
	}
	if _, err := c.File("tokenizer.json"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "tokenizer.json") {
		t.Errorf("File(tokenizer.json): %v", err)
	}
}

func TestOpen(t *testing.T) {
	c, err := Open("testdata")
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, c)
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open("no-such-directory"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such directory: %v", err)
	}
}

func TestOpenFile(t *testing.T) {
	path := filepath.Join(files{"want.safetensors": shard("a")}.write(t), "want.safetensors")
	c, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !slices.Equal(c.Names(), []string{"a"}) || c.Config() != nil {
		t.Errorf("found %v, config %s", c.Names(), c.Config())
	}
	t.Chdir(filepath.Dir(path))
	c, err = OpenFile("want.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := os.Symlink(path, filepath.Join(t.TempDir(), "link")); err == nil {
		if c, err = OpenFile("want.safetensors"); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if _, err := OpenFile("other.safetensors"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("other: %v", err)
	}
}

// mapFS offers the bytes of its files.
type mapFS struct{ fstest.MapFS }

type byteFile struct {
	fs.File
	data []byte
}

func (f byteFile) Bytes() []byte            { return f.data }
func (f byteFile) Read([]byte) (int, error) { return 0, errors.New("must not be read") }

func (m mapFS) Open(name string) (fs.File, error) {
	f, err := m.MapFS.Open(name)
	if file := m.MapFS[name]; err == nil && file != nil {
		return byteFile{f, file.Data}, nil
	}
	return f, err
}

// zipped is an archive of testdata.
func zipped(t testing.TB, method uint16) []byte {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, name := range []string{"config.json", "model.safetensors"} {
		f, err := w.CreateHeader(&zip.FileHeader{Name: "m/" + name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(readTestdata(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestOpenFS(t *testing.T) {
	archive := zipped(t, zip.Deflate)
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	m := fstest.MapFS{
		"m/config.json":       {Data: readTestdata(t, "config.json")},
		"m/model.safetensors": {Data: readTestdata(t, "model.safetensors")},
	}
	for _, test := range []struct {
		name string
		fsys fs.FS
		dir  string
	}{
		{"embed", embedded, "testdata"},
		{"zip", z, "m"},
		{"dir", os.DirFS("testdata"), "."},
		{"map", m, "m"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := OpenFS(test.fsys, test.dir)
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, c)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	sub, err := fs.Sub(m, "m")
	if err != nil {
		t.Fatal(err)
	}
	flat := mapFS{fstest.MapFS{}}
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, _ := fs.ReadFile(sub, name)
		flat.MapFS[name] = &fstest.MapFile{Data: data}
	}
	c, err := OpenFS(flat, ".")
	if err != nil {
		t.Fatal(err)
	}
	checkGolden(t, c)
	if whole := flat.MapFS["model.safetensors"].Data; &c.tensors[0].Data[0] != &whole[len(whole)-int(c.Bytes())] {
		t.Error("bytes were copied")
	}
	if _, err := OpenFS(z, "../m"); err == nil {
		t.Error("OpenFS accepts ../m")
	}
}

// TestZipChecksum flips bytes of a stored file, which only the archive's checksum can tell.
func TestZipChecksum(t *testing.T) {
	archive := zipped(t, zip.Store)
	at := bytes.Index(archive, []byte("data_offsets"))
	for _, at := range []int{at + 5000 + 20000, at + 5000 + 40000} {
		bad := bytes.Clone(archive)
		bad[at] ^= 1
		z, err := zip.NewReader(bytes.NewReader(bad), int64(len(bad)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFS(z, "m"); !errors.Is(err, zip.ErrChecksum) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

func TestIndexedShards(t *testing.T) {
	f := files{
		"model.safetensors.index.json": `{"metadata":{"total_size":12.5e0,"x":[null,{"y":-1},"z"]},
			"weight_map":{"c":"2.safetensors","a":"1.safetensors","b":"2.safetensors"},"unknown":true}`,
		"1.safetensors": st(`{"__metadata__":{"j":"first"},`+entry("a", 0, 4)+"}", 4),
		"2.safetensors": st(`{"__metadata__":{"k":"v","j":"second"},`+entry("c", 2, 3)+","+entry("b", 0, 2)+"}", 5),
	}
	c, err := Open(f.write(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Names(); !slices.Equal(got, []string{"a", "b", "c"}) || c.Bytes() != 9 {
		t.Errorf("found %v, %d bytes", got, c.Bytes())
	}
	for k, want := range map[string]string{"k": "v", "j": "second"} { // file 2 is named first
		if v, _ := c.Metadata(k); v != want {
			t.Errorf("metadata %s: %q, want %q", k, v, want)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	f["model.safetensors"] = shard("single")
	if c, err = Open(f.write(t)); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.Names(); !slices.Equal(got, []string{"single"}) {
		t.Errorf("beside an index: found %v, want the single file", got)
	}
	if b, err := Open(files{"diffusion_pytorch_model.safetensors": shard("d")}.write(t)); err != nil {
		t.Error(err)
	} else {
		b.Close()
	}
}

func TestFileNames(t *testing.T) {
	dir := files{"model.safetensors": shard("a"), "side.txt": "x"}.write(t)
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, name := range []string{"", ".", "..", "../side.txt", "/side.txt", "sub/x", `sub\x`, "C:x", "side.txt:s", "a\x00b", "\xff", strings.Repeat("n", 256)} {
		if _, err := c.File(name); err == nil || !strings.Contains(err.Error(), "expected a base name") {
			t.Errorf("File(%q): %v", name, err)
		}
	}
	if _, err := c.File("sub"); err == nil || !strings.Contains(err.Error(), "expected a regular file") {
		t.Errorf("directory: %v", err)
	}
	if err := os.Truncate(filepath.Join(dir, "side.txt"), maxSideFile+1); err != nil {
		t.Fatal(err)
	}
	if _, err := c.File("side.txt"); err == nil || !strings.Contains(err.Error(), "expected at most 67108864") {
		t.Errorf("large file: %v", err)
	}
}

func TestSymbolicLinks(t *testing.T) {
	outside := files{"model.safetensors": shard("a"), "config.json": "{}"}.write(t)
	link := func(t *testing.T, dir, to, name string) {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Skipf("cannot make symbolic links: %v", err)
		}
	}
	for _, test := range []struct{ name, to string }{
		{"model.safetensors", filepath.Join(outside, "model.safetensors")},
		{"config.json", filepath.Join(outside, "config.json")},
		{"model.safetensors", "../" + filepath.Base(outside) + "/model.safetensors"},
		{"model.safetensors", "nowhere"},
		{"model.safetensors", "model.safetensors"},
	} {
		dir := t.TempDir()
		if test.name == "config.json" {
			dir = files{"model.safetensors": shard("a")}.write(t)
		}
		link(t, dir, test.to, test.name)
		_, err := Open(dir)
		if err == nil || !strings.Contains(err.Error(), test.name+": found a symbolic link") {
			t.Errorf("%s -> %s: %v", test.name, test.to, err)
		}
	}
	dir := files{"blob": shard("a")}.write(t)
	link(t, dir, "blob", "model.safetensors")
	c, err := Open(dir)
	if err != nil {
		t.Fatalf("link inside the directory: %v", err)
	}
	c.Close()
	parent := t.TempDir()
	link(t, parent, dir, "m")
	if c, err = Open(filepath.Join(parent, "m")); err != nil {
		t.Fatalf("link to the directory: %v", err)
	}
	defer c.Close()
	link(t, dir, filepath.Join(outside, "config.json"), "tokenizer.json")
	if _, err := c.File("tokenizer.json"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("File through a link: %v", err)
	}
}

// TestHubCache opens the layout in which hubs keep downloads: links from snapshots to blobs, and no
// further.
func TestHubCache(t *testing.T) {
	name := t.TempDir()
	snapshot := filepath.Join(name, "snapshots", "0123abcd")
	outside := files{"model.safetensors": shard("a")}.write(t)
	for _, dir := range []string{snapshot, filepath.Join(name, "blobs")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(name, "blobs", "f00"), []byte(shard("w")), 0o644); err != nil {
		t.Fatal(err)
	}
	weights := filepath.Join(snapshot, "model.safetensors")
	if err := os.Symlink("../../blobs/f00", weights); err != nil {
		t.Skipf("cannot make symbolic links: %v", err)
	}
	t.Chdir(name)
	for _, dir := range []string{snapshot, "snapshots/0123abcd"} {
		c, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := c.Tensor("w"); !ok {
			t.Error("its tensor is missing")
		}
		c.Close()
		if c, err = OpenFiles(dir); err != nil {
			t.Fatal(err)
		}
		if b, err := c.File("model.safetensors"); err != nil || string(b) != shard("w") {
			t.Errorf("a file alone: %d bytes, %v", len(b), err)
		}
		c.Close()
	}
	if err := errors.Join(os.Remove(weights), os.Symlink(filepath.Join(outside, "model.safetensors"), weights)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(snapshot); err == nil || !strings.Contains(err.Error(), "found a symbolic link") {
		t.Errorf("a link out of the cache: %v", err)
	}
}

// TestOpenFiles: weights need not be there.
func TestOpenFiles(t *testing.T) {
	c, err := OpenFiles(files{"side.txt": "beside"}.write(t))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := c.File("side.txt"); err != nil || string(b) != "beside" || c.GGUF() != nil || len(c.Names()) != 0 {
		t.Errorf("a directory without weights: %q, %v", b, err)
	}
	c.Close()
	if _, err := OpenFiles(filepath.Join(files{"x": "no model"}.write(t), "x")); err == nil || !strings.Contains(err.Error(), "no GGUF file") {
		t.Errorf("another file: %v", err)
	}
}

// TestNotRegular checks that directories in place of files are named, and passed over in the
// search for an explanation.
func TestNotRegular(t *testing.T) {
	dir := files{"z.bin": "\x80\x02."}.write(t)
	if err := os.Mkdir(filepath.Join(dir, "a.bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir)
	if err == nil || !strings.Contains(err.Error(), "z.bin: found a pickle") {
		t.Errorf("directory beside a pickle: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "model.safetensors"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = Open(dir)
	if err == nil || !strings.Contains(err.Error(), "model.safetensors: found drwx") || !strings.Contains(err.Error(), "expected a regular file") {
		t.Errorf("directory: %v", err)
	}
}

func TestHeaderLimit(t *testing.T) {
	dir := files{"model.safetensors": shard("a")}.write(t)
	n := len(shard("a")) - 12
	for limit, ok := range map[int]bool{-1: false, 0: false, n - 1: false, n: true, 1 << 30: true} {
		c, err := Open(dir, HeaderLimit(limit))
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "raise the header limit") {
			t.Errorf("limit %d of %d: %v", limit, n, err)
		}
		if err == nil {
			c.Close()
		}
	}
}
