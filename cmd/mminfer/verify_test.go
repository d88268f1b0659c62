package main

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/loader"
)

const goldens = "../../models/testdata/golden"

// copyGolden copies a golden directory without its sub-directories.
func copyGolden(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"config.json", "model.safetensors", "verify.json", "want.safetensors"} {
		b, err := os.ReadFile(filepath.Join(goldens, name, file))
		if err != nil {
			t.Skip("the goldens are in the repository, not in a module download")
		}
		if err := os.WriteFile(filepath.Join(dir, file), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// alter changes the first number of a tensor of want.safetensors by its double bound or more.
func alter(t *testing.T, dir, name string) {
	t.Helper()
	path := filepath.Join(dir, "want.safetensors")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ck, err := loader.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	w, ok := ck.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	at := bytes.Index(data, w.Data)
	x := math.Float32frombits(binary.LittleEndian.Uint32(data[at:]))
	binary.LittleEndian.PutUint32(data[at:], math.Float32bits(x+0.25))
	// Not in place: the mapped file must not change.
	if err := os.WriteFile(path+".new", data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// A wrong value is found, and the first wrong tensor of each case is named.
func TestVerifyFails(t *testing.T) {
	dir := copyGolden(t, "mom_fla")
	must(t, "", "verify", dir)
	alter(t, dir, "p1.logits")
	alter(t, dir, "p1.block.1")
	code, out, errs := cli(t, "", "verify", dir)
	if code != exitError || strings.Count(out, "FAIL") != 2 || !strings.Contains(out, "first wrong in case p1: block.1: error 0.25") || !strings.Contains(errs, "1 of 1 directories failed") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	code, out, _ = cli(t, "", "verify", "-q", filepath.Dir(dir), goldens+"/mom_gated_deltanet")
	if code != exitError || !strings.Contains(out, "FAIL  "+dir+": p1: block.1: error 0.25") || !strings.Contains(out, "pass  "+filepath.FromSlash(goldens)+"/mom_gated_deltanet: ") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// A lossy format fails the bounds of float32, at its first block.
func TestVerifyLossy(t *testing.T) {
	code, out, _ := cli(t, "", "verify", "../../demo/fable", "--quant", "q8")
	if code != exitError || !strings.Contains(out, "demo/fable, q8") || !strings.Contains(out, "first wrong in case p0: block.0: ") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// What cannot be compared is an error that says why, and does not hide the rest.
func TestVerifyUnknownKind(t *testing.T) {
	dir := copyGolden(t, "mom_fla")
	if err := os.WriteFile(filepath.Join(dir, "verify.json"), []byte(`{"kind":"other","cases":[]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, errs := cli(t, "", "verify", "-q", dir, goldens+"/mom_gated_deltanet")
	if code != exitError || !strings.Contains(errs, `kind "other"`) || !strings.Contains(errs, "lm") || !strings.Contains(out, "mom_gated_deltanet: 26 tensors") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

// Every way to feed the prompts dumps the same bytes.
func TestVerifyDump(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dump")
	dump := func(args ...string) []byte {
		must(t, "", append([]string{"verify", "-q", "--dump", file, copyGolden(t, "mom_fla_hybrid")}, args...)...)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	whole := dump()
	for _, args := range [][]string{{}, {"--split", "1"}, {"--split", "7", "-t", "1"}, {"--batch"}, {"--batch", "--split", "5", "--quant", "f32"}} {
		if !bytes.Equal(dump(args...), whole) {
			t.Errorf("%v: other bytes", args)
		}
	}
	ck, err := loader.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	names := strings.Join(ck.Names(), " ")
	if w, ok := ck.Tensor("p0.block.0"); !ok || len(w.Shape) != 2 || w.Shape[1] != 32 || !strings.Contains(names, "p0.decode_logits p0.embed p0.logits p0.norm") {
		t.Errorf("found %v of %s", w, names)
	}
	if both := dump(goldens + "/mom_fla/topk_all"); !bytes.Contains(both, []byte(`"topk_all/p0.block.0"`)) || !bytes.Contains(both, []byte(`"mom_fla_hybrid/p0.block.0"`)) {
		t.Error("tensors of two directories do not bear their names")
	}
}
