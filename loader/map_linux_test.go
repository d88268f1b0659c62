package loader

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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
