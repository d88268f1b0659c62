package asmgen

import (
	"bytes"
	"flag"
	"go/format"
	"os"
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
