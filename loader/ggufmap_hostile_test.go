package loader

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// TestGGUFModelHostile damages files of every architecture and opens them as models: nothing
// panics, and a tensor that is there has all its bytes.
func TestGGUFModelHostile(t *testing.T) {
	paths, _ := filepath.Glob("../models/testdata/gguf/*.gguf")
	if len(paths) == 0 {
		t.Skip("the files are in the repository, not in a module download")
	}
	rounds := 400
	if testing.Short() || raceDetector {
		rounds = 40
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		accepted := 0
		for range rounds {
			c, err := parseGGUFBytes(bytes.Clone(data))
			if err != nil {
				t.Fatal(err)
			}
			var done []string
			for range 1 + r.IntN(2) {
				done = append(done, damage(r, &c))
			}
			if checkMapped(t, filepath.Base(path), done, c) {
				accepted++
			}
		}
		t.Logf("%s: %d of %d accepted", filepath.Base(path), accepted, rounds)
	}
}

// checkMapped opens a file as a model and reports whether it was accepted.
func checkMapped(t *testing.T, name string, done []string, c contents) bool {
	t.Helper()
	defer func() {
		if x := recover(); x != nil {
			t.Errorf("%s: %q: panic: %v", name, done, x)
		}
	}()
	ck, err := mapped(c)
	if err != nil {
		return false
	}
	for _, n := range ck.Names() {
		ts, ok := ck.Tensor(n)
		if size, err := dataSize(ts); !ok || err != nil || size != int64(len(ts.Data)) {
			t.Errorf("%s: %q: %v has %d bytes, %v", name, done, ts, len(ts.Data), err)
		}
	}
	return true
}

// damage changes one thing and says what.
func damage(r *rand.Rand, c *contents) string {
	key := c.gguf.keys[r.IntN(len(c.gguf.keys))]
	i := r.IntN(len(c.tensors))
	ts := &c.tensors[i]
	switch r.IntN(6) {
	case 0:
		v := uint32(r.IntN(20))
		if r.IntN(4) == 0 {
			v = r.Uint32()
		}
		setKey(c, key, ggufUint32, u32(v))
		return fmt.Sprintf("%s = %d", key, v)
	case 1:
		setList(c, key, uint32(r.IntN(3)), uint32(r.IntN(3)), uint32(r.IntN(3)), uint32(r.IntN(3)), 1)
		return key + " is a list"
	case 2:
		delete(c.gguf.values, key)
		c.gguf.keys = slices.DeleteFunc(c.gguf.keys, func(k string) bool { return k == key })
		return "without " + key
	case 3:
		name := ts.Name
		dropTensor(c, name)
		return "without " + name
	case 4:
		ts.Shape = slices.Clone(ts.Shape)
		slices.Reverse(ts.Shape)
		if r.IntN(2) == 0 {
			ts.Shape = append(ts.Shape, 1)
		}
		return fmt.Sprintf("%s is %v", ts.Name, ts.Shape)
	}
	typ := []tensor.Type{tensor.Q4_0, tensor.Q6_K, tensor.I32, tensor.F16, tensor.F32}[r.IntN(5)]
	rows := 1 + r.IntN(4)
	setTensor(c, ts.Name, typ, rows, 256)
	return fmt.Sprintf("%s is %s [%d 256]", ts.Name, typ, rows)
}
