package loader

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mminfer/mminfer/tensor"
)

// Pieces of GGUF files.
func u32(v uint32) string       { return string(binary.LittleEndian.AppendUint32(nil, v)) }
func u64(v uint64) string       { return string(binary.LittleEndian.AppendUint64(nil, v)) }
func ggufText(s string) string  { return u64(uint64(len(s))) + s }
func ggufKey(key string) string { return ggufText(key) }

// ggufFile is a file of version 3 with the given counts and what follows them.
func ggufFile(tensors, keys uint64, rest ...string) string {
	return ggufMagic + u32(3) + u64(tensors) + u64(keys) + strings.Join(rest, "")
}

// ggufInfo is a tensor's entry, dimensions innermost first.
func ggufInfo(name string, typ uint32, offset uint64, dims ...uint64) string {
	s := ggufText(name) + u32(uint32(len(dims)))
	for _, d := range dims {
		s += u64(d)
	}
	return s + u32(typ) + u64(offset)
}

// padded pads a file to a multiple of 32 bytes and adds n bytes of data.
func padded(file string, n int) string {
	return file + strings.Repeat("\x00", -len(file)&31) + strings.Repeat("d", n)
}

// ggufEncode writes the header of what was read.
func ggufEncode(version uint32, c contents) []byte {
	b := []byte(ggufMagic + u32(version) + u64(uint64(len(c.tensors))) + u64(uint64(len(c.gguf.keys))))
	for _, key := range c.gguf.keys {
		v := c.gguf.values[key]
		b = append(b, ggufKey(key)...)
		if v.array {
			b = append(b, u32(9)+u32(uint32(v.kind))+u64(uint64(v.n))...)
		} else {
			b = append(b, u32(uint32(v.kind))...)
		}
		b = append(b, v.data...)
	}
	at := 0
	alignment, _ := c.gguf.alignment()
	for _, t := range c.tensors {
		dims := make([]uint64, len(t.Shape))
		for i, d := range t.Shape {
			dims[len(dims)-1-i] = uint64(d)
		}
		number := slices.IndexFunc(ggufTypes[:], func(x struct {
			name string
			t    tensor.Type
		}) bool {
			return x.t == t.Type
		})
		at = (at + alignment - 1) &^ (alignment - 1)
		b = append(b, ggufInfo(t.Name, uint32(number), uint64(at), dims...)...)
		at += len(t.Data)
	}
	return b
}

// checkGGUF checks an accepted file: its header, written from what was read, is the file's, and the
// tensors' data are its rest but for padding. No getter panics.
func checkGGUF(t *testing.T, b []byte, c contents) {
	t.Helper()
	header := ggufEncode(binary.LittleEndian.Uint32(b[4:]), c)
	if !bytes.HasPrefix(b, header) {
		t.Fatalf("the file begins with %q, and reads as %q", b[:min(len(b), len(header))], header)
	}
	alignment, err := c.gguf.alignment()
	if err != nil {
		t.Fatal(err)
	}
	covered := len(header)
	for _, ts := range c.tensors {
		n, size := ts.Type.Block()
		begin := (covered + alignment - 1) / alignment * alignment
		if len(ts.Data) != ts.Elements()/n*size || cap(ts.Data) != len(ts.Data) || &ts.Data[0] != &b[begin] {
			t.Fatalf("%v: %d bytes of data, capacity %d, want them at %d", ts, len(ts.Data), cap(ts.Data), begin)
		}
		covered = begin + len(ts.Data)
	}
	if len(b)-covered >= alignment || len(b) < covered {
		t.Fatalf("header and tensors cover %d of %d bytes", covered, len(b))
	}
	g := c.gguf
	for _, key := range g.Keys() {
		g.Int(key)
		g.Float(key)
		g.Bool(key)
		g.String(key)
		g.Ints(key)
		g.Floats(key)
		g.Bools(key)
		if s, err := g.Strings(key); err == nil && !strings.HasSuffix(g.Type(key), "string") {
			t.Fatalf("key %q: %q of type %s", key, s, g.Type(key))
		}
	}
}

func parseGGUFBytes(b []byte) (contents, error) { return parseGGUFLimited(b, defaultHeader) }

func parseGGUFLimited(b []byte, limit int) (contents, error) {
	return parseGGUF(&file{path: "memory", size: int64(len(b)), left: int64(len(b)), whole: b[:len(b):len(b)]}, limit)
}

// openTypes opens testdata/gguf/types.gguf, which the reference package wrote.
func openTypes(t *testing.T) *Checkpoint {
	t.Helper()
	c, err := OpenFile(filepath.Join("testdata", "gguf", "types.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestGGUFTensors compares every element type with what the reference package dequantizes.
func TestGGUFTensors(t *testing.T) {
	c := openTypes(t)
	want, err := OpenFile(filepath.Join("testdata", "gguf", "want.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	for _, name := range c.Names() {
		x, _ := c.Tensor(name)
		if x.Type.String() != name {
			t.Errorf("%s has type %v", name, x.Type)
		}
		got := make([]float32, x.Elements())
		x.Floats(got, 0)
		y, ok := want.Tensor(name)
		if !ok {
			continue
		}
		if !slices.Equal(x.Shape, y.Shape) {
			t.Fatalf("%s: shape %v, want %v", name, x.Shape, y.Shape)
		}
		w := make([]float32, y.Elements())
		y.Floats(w, 0)
		for i := range w {
			if math.Float32bits(got[i]) != math.Float32bits(w[i]) {
				t.Fatalf("%s: element %d is %v, want %v", name, i, got[i], w[i])
			}
		}
	}
	if n := len(c.Names()); n != 20 || len(want.Names()) != 12 {
		t.Errorf("%d tensors, %d of blocks, want 20 and 12", n, len(want.Names()))
	}
	if x, _ := c.Tensor("F32"); !slices.Equal(x.Shape, []int{2, 3, 4}) {
		t.Errorf("shape %v, want [2 3 4]", x.Shape)
	}
	if c.Config() != nil || c.Bytes() == 0 {
		t.Errorf("Config() = %s, Bytes() = %d", c.Config(), c.Bytes())
	}
}

func TestGGUFMetadata(t *testing.T) {
	g := openTypes(t).GGUF()
	if keys := g.Keys(); len(keys) != 17 || keys[0] != "general.architecture" || !g.Has("test.bool") || g.Has("test") {
		t.Errorf("keys %q", keys)
	}
	for key, want := range map[string]int64{"uint8": 200, "int8": -100, "uint16": 60000, "int16": -30000, "uint32": 4000000000, "int32": -2000000000, "int64": -1 << 62} {
		if v, err := g.Int("test." + key); v != want || err != nil || g.Type("test."+key) != key {
			t.Errorf("%s = %d, %v, want %d", key, v, err, want)
		}
		if v, err := g.Float("test." + key); v != float64(want) || err != nil {
			t.Errorf("%s = %v, %v", key, v, err)
		}
	}
	for key, want := range map[string]float64{"float32": float64(float32(0.1)), "float64": 0.1, "uint64": 0x1p63} {
		if v, err := g.Float("test." + key); v != want || err != nil {
			t.Errorf("%s = %v, %v, want %v", key, v, err, want)
		}
	}
	s, err := g.String("test.string")
	list, err2 := g.Strings("test.strings")
	one, err3 := g.Strings("test.string")
	if s != "café\x00" || !slices.Equal(list, []string{"a", "", "中文"}) || !slices.Equal(one, []string{s}) || errors.Join(err, err2, err3) != nil {
		t.Errorf("strings %q, %q, %q: %v", s, list, one, errors.Join(err, err2, err3))
	}
	b, err := g.Bool("test.bool")
	bools, err2 := g.Bools("test.bools")
	ints, err3 := g.Ints("test.ints")
	floats, err4 := g.Floats("test.floats")
	if !b || !slices.Equal(bools, []bool{true, false}) || !slices.Equal(ints, []int64{-1, 0, math.MaxInt32}) ||
		!slices.Equal(floats, []float64{0.5, -1.25}) || errors.Join(err, err2, err3, err4) != nil {
		t.Errorf("%v, %v, %v, %v: %v", b, bools, ints, floats, errors.Join(err, err2, err3, err4))
	}
	for _, test := range []struct {
		get  func() error
		want string
	}{
		{func() error { _, err := g.Int("test.string"); return err }, `key "test.string": found string, expected an integer`},
		{func() error { _, err := g.Int("test.ints"); return err }, `key "test.ints": found [3]int32, expected an integer`},
		{func() error { _, err := g.Int("test.float32"); return err }, `found float32, expected an integer`},
		{func() error { _, err := g.Int("test.uint64"); return err }, `found 9223372036854775809, expected an integer of at most`},
		{func() error { _, err := g.Float("test.bool"); return err }, `found bool, expected a number`},
		{func() error { _, err := g.Bool("test.uint8"); return err }, `found uint8, expected a bool`},
		{func() error { _, err := g.Strings("test.ints"); return err }, `found [3]int32, expected strings`},
		{func() error { _, err := g.String("gone"); return err }, `key "gone": found no such key, expected a string`},
	} {
		if err := test.get(); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "types.gguf") {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
	if _, err := g.Floats("gone"); !errors.Is(err, ErrNoKey) {
		t.Errorf("error %v, want ErrNoKey", err)
	}
	if typ := g.Type("test.strings"); typ != "[3]string" || g.Type("gone") != "" {
		t.Errorf("types %q, %q", typ, g.Type("gone"))
	}
}

// TestGGUFPlaces opens a file wherever it lies.
func TestGGUFPlaces(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "gguf", "types.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"m.gguf", "a/b/model"} {
		c, err := OpenFileFS(fstest.MapFS{name: {Data: data}}, name)
		if err != nil || len(c.Names()) != 20 || c.GGUF() == nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.Close(); err != nil || c.GGUF() != nil {
			t.Errorf("close: %v", err)
		}
	}
	c, err := OpenFileFS(os.DirFS("testdata"), "model.safetensors")
	if err != nil || c.GGUF() != nil || len(c.Names()) == 0 {
		t.Errorf("safetensors: %v", err)
	}
	c.Close()
	if _, err := OpenFileFS(fstest.MapFS{}, "m.gguf"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for at := 0; ; at++ {
		f := &faultyFS{FS: fstest.MapFS{"m.gguf": {Data: data}}, at: at}
		_, err := OpenFileFS(f, "m.gguf")
		if f.open != 0 {
			t.Fatalf("call %d: %d files left open", at, f.open)
		}
		if f.calls <= at {
			if err != nil {
				t.Error(err)
			}
			break
		}
		if !errors.Is(err, errFault) || !strings.HasPrefix(err.Error(), "loader: ") {
			t.Errorf("call %d: error %v", at, err)
		}
	}
}

func TestGGUFAccepted(t *testing.T) {
	one := ggufInfo("t", 0, 0, 2)
	for _, test := range []struct{ name, data string }{
		{"nothing", ggufFile(0, 0)},
		{"nothing, padded", padded(ggufFile(0, 0), 0)},
		{"version 2", ggufMagic + u32(2) + u64(0) + u64(0)},
		{"scalar", padded(ggufFile(1, 0, ggufInfo("t", 0, 0)), 4)},
		{"data without padding", padded(ggufFile(1, 0, one), 8)},
		{"data with padding", padded(ggufFile(1, 0, one), 32)},
		{"alignment of 1", ggufFile(1, 1, ggufKey("general.alignment"), u32(4), u32(1), one, "dddddddd")},
		{"alignment of 64", ggufFile(1, 1, ggufKey("general.alignment"), u32(4), u32(64), one, strings.Repeat("\x00", -(24+8+17+4+4+len(one))&63), "dddddddd")},
		{"two tensors", padded(ggufFile(2, 0, one, ggufInfo("u", 24, 32, 3)), 35)},
		{"rank 4", padded(ggufFile(1, 0, ggufInfo("t", 2, 0, 32, 1, 2, 1)), 36)},
		{"empty arrays", ggufFile(0, 2, ggufKey("a"), u32(9), u32(8), u64(0), ggufKey("b"), u32(9), u32(12), u64(0))},
		{"a model that lies in one file", ggufFile(0, 1, ggufKey("split.count"), u32(2), "\x01\x00")},
	} {
		b := []byte(test.data)
		c, err := parseGGUFBytes(b)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		checkGGUF(t, b, c)
	}
}

// TestGGUFSweep cuts the reference file at every byte and changes every byte of its header.
func TestGGUFSweep(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "gguf", "types.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseGGUFBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	checkGGUF(t, b, c)
	header := len(ggufEncode(3, c))
	last := c.tensors[len(c.tensors)-1]
	whole := header + (-header & 31) // the least that is whole: up to the end of the last tensor
	for _, ts := range c.tensors {
		whole = (whole+31)&^31 + len(ts.Data)
	}
	cuts := rand.New(rand.NewPCG(1, 2))
	for i := range header + 1000 {
		n := i
		if i >= header {
			n = header + cuts.IntN(whole-header)
		}
		if _, err := parseGGUFBytes(b[:n:n]); err == nil {
			t.Fatalf("accepted the first %d of %d bytes, %v", n, len(b), last)
		}
	}
	if _, err := parseGGUFBytes(append(bytes.Clone(b), 0)); err == nil {
		t.Fatal("accepted a trailing byte")
	}
	accepted := 0
	for i := range header {
		for _, mask := range []byte{0x01, 0x20, 0x80, 0xff} {
			b[i] ^= mask
			if c, err := parseGGUFBytes(b); err == nil {
				checkGGUF(t, b, c)
				accepted++
			}
			b[i] ^= mask
		}
	}
	t.Logf("%d of %d flips are other good files", accepted, 4*header)
	if accepted == 0 || accepted > 2*header {
		t.Errorf("accepted %d of %d", accepted, 4*header)
	}
}

// FuzzGGUF checks that any file is either refused or what its bytes say.
func FuzzGGUF(f *testing.F) {
	for _, test := range malformedGGUF {
		if len(test.data) < 1<<12 {
			f.Add([]byte(test.data))
		}
	}
	f.Add([]byte(padded(ggufFile(2, 2, ggufKey("a"), u32(9), u32(8), u64(2), ggufText("x"), ggufText(""), ggufKey("general.alignment"), u32(4), u32(32),
		ggufInfo("t", 2, 0, 32, 2), ggufInfo("u", 0, 64, 2)), 72)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parseGGUFBytes(data); err == nil {
			checkGGUF(t, data, c)
		}
	})
}

func BenchmarkGGUF(b *testing.B) {
	var tokens, infos strings.Builder
	for i := range 150_000 {
		tokens.WriteString(ggufText(fmt.Sprintf("token%d", i)))
	}
	for i := range 1000 {
		infos.WriteString(ggufInfo(fmt.Sprintf("blk.%d.weight", i), 12, uint64(i*160), 256))
	}
	data := []byte(padded(ggufFile(1000, 1, ggufKey("tokenizer.ggml.tokens"), u32(9), u32(8), u64(150_000), tokens.String(), infos.String()), 160_000))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseGGUFBytes(data); err != nil {
			b.Fatal(err)
		}
	}
}
