package loader

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// mappings counts the mapped model files of this process.
func mappings(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), ".safetensors")
}

// TestMappings checks that weights are mapped, and that Close and every failure of Open
// release them.
func TestMappings(t *testing.T) {
	f := files{indexName: `{"weight_map":{"a":"1.safetensors","b":"2.safetensors","c":"3.safetensors"}}`,
		"1.safetensors": shard("a"), "2.safetensors": shard("b"), "3.safetensors": shard("c")}
	c, err := Open(f.write(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := mappings(t); n != 3 {
		t.Errorf("%d mappings while open, want 3", n)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	f["3.safetensors"] = shard("d")
	if _, err = Open(f.write(t)); err == nil {
		t.Error("accepted a wrong shard")
	}
	f["3.safetensors"] = shard("c")[:20]
	if _, err = Open(f.write(t)); err == nil {
		t.Error("accepted a cut shard")
	}
	if n := mappings(t); n != 0 {
		t.Errorf("%d mappings after Close and failed Opens, want 0", n)
	}
}

// resident is the memory of this process that mapped files take, in bytes.
func resident(t *testing.T) (n int) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var size, all int
	if _, err := fmt.Sscan(string(b), &size, &all, &n); err != nil {
		t.Fatal(err)
	}
	return n * os.Getpagesize()
}

// TestRelease checks that a tensor's pages leave memory, that they come back as they were, and that data which is not mapped stays.
func TestRelease(t *testing.T) {
	if testing.Short() {
		t.Skip("emulators of other processors keep mapped files in memory")
	}
	const n = 16 << 20
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i >> 8)
	}
	var file bytes.Buffer
	if err := Write(&file, []tensor.Tensor{{Name: "a", Type: tensor.U8, Shape: []int{n}, Data: data}}, nil); err != nil {
		t.Fatal(err)
	}
	c, err := Open(files{"model.safetensors": file.String()}.write(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a, _ := c.Tensor("a")
	if !bytes.Equal(a.Data, data) {
		t.Fatal("the data differ")
	}
	before := resident(t)
	c.Release(a)
	if after := resident(t); before-after < n*3/4 {
		t.Errorf("mapped files take %d bytes, and %d after %d were released", before, after, n)
	}
	if !bytes.Equal(a.Data, data) {
		t.Error("the data differ afterwards")
	}
	other := tensor.Tensor{Name: "b", Type: tensor.U8, Shape: []int{n}, Data: slices.Clone(data)}
	if c.Release(other); !bytes.Equal(other.Data, data) {
		t.Error("data on the heap were released")
	}
}

// TestNamedPipe checks that a pipe, on which open and read wait for a writer, is not opened.
func TestNamedPipe(t *testing.T) {
	for _, name := range []string{"model.safetensors", "config.json", "pytorch_model.bin"} {
		dir := t.TempDir()
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir)
		if err == nil || name != "pytorch_model.bin" && !strings.Contains(err.Error(), name+": found prw") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
