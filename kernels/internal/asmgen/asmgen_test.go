package asmgen

import (
	"bytes"
	"flag"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var generate = flag.Bool("generate", false, "write the generated files")

func TestGenerated(t *testing.T) {
	for name, want := range Files() {
		if strings.HasSuffix(name, ".go") {
			src, err := format.Source(want)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			want = src
		}
		path := filepath.Join("..", "..", "gemm", name)
		if *generate {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from the generator's output: run go test ./kernels/internal/asmgen -generate", path)
		}
	}
}

// TestVPDPBUSD assembles the macro of AVX-VNNI. The bytes are those of LLVM's assembler.
func TestVPDPBUSD(t *testing.T) {
	var want []byte
	text := "#include \"" + vnniHeaderName + "\"\nTEXT f(SB), 4, $0-0\n"
	for _, c := range []struct{ x, w, d, code string }{
		{"Y12", "Y13", "Y0", "\xc4\xc2\x15\x50\xc4"},
		{"Y4", "Y5", "Y6", "\xc4\xe2\x55\x50\xf4"},
		{"Y1", "Y15", "Y9", "\xc4\x62\x05\x50\xc9"},
		{"Y15", "Y0", "Y15", "\xc4\x42\x7d\x50\xff"},
		{"Y8", "Y8", "Y7", "\xc4\xc2\x3d\x50\xf8"},
		{"Y7", "Y2", "Y8", "\xc4\x62\x6d\x50\xc7"},
	} {
		text += vpdpbusd(c.x, c.w, c.d) + "\n"
		want = append(want, c.code...)
	}
	dir := t.TempDir()
	source, object := filepath.Join(dir, "f.s"), filepath.Join(dir, "f.o")
	for path, data := range map[string][]byte{source: []byte(text), filepath.Join(dir, vnniHeaderName): vnniHeader()} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "tool", "asm", "-p", "f", "-I", dir, "-o", object, source)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(got, want) {
		t.Errorf("the object does not hold % x", want)
	}
}
