package main

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/models"
)

// The line that comparisons with other engines read.
func TestBenchLine(t *testing.T) {
	out := must(t, "", "bench", "--model", "../../demo/fable", "--threads", "1", "--tests", "tg3@5", "--quant", "q8_0", "--reps", "2", "--no-limits", "--json")
	var line struct {
		Model, Quant, Test string
		Threads, Reps      int
		TokS               float64 `json:"tok_s"`
	}
	if err := json.Unmarshal([]byte(out), &line); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("%q: %v", out, err)
	}
	if line.Model != "fable" || line.Quant != "q8" || line.Test != "tg3@5" || line.Threads != 1 || line.Reps != 2 || !(line.TokS > 0) {
		t.Errorf("found %+v", line)
	}
}

// One row for each format, number of threads and test, in every form.
func TestBenchForms(t *testing.T) {
	args := []string{"bench", "--tests", "pp2,tg1", "-t", "1,2", "--quant", "auto,q8", "--reps", "1", "--no-limits", "-o"}
	md := strings.Split(strings.TrimSpace(must(t, "", append(args, "md")...)), "\n")
	if len(md) != 10 || !strings.HasPrefix(md[0], "| model |     size |  params |") || !strings.HasPrefix(md[1], "| ----- | -------: |") {
		t.Errorf("md:\n%s", strings.Join(md, "\n"))
	}
	for _, line := range md {
		if strings.Count(line, "|") != 11 {
			t.Errorf("md: %q", line)
		}
	}
	records, err := csv.NewReader(strings.NewReader(must(t, "", append(args, "csv")...))).ReadAll()
	if err != nil || len(records) != 9 || records[0][0] != "model" || records[8][4] != "tg1" || records[8][2] != "q8" {
		t.Errorf("csv: %v %v", records, err)
	}
	var rows []benchRow
	if err := json.Unmarshal([]byte(must(t, "", append(args, "json")...)), &rows); err != nil || len(rows) != 8 {
		t.Fatalf("json: %v %v", rows, err)
	}
	if r := rows[0]; r.Quant != "bf16" || r.Threads != 1 || r.Test != "pp2" || r.Params != 6044144 || r.BytesPerToken != 0 {
		t.Errorf("json: %+v", r)
	}
	if r := rows[7]; r.Quant != "q8" || r.Threads != 2 || r.Test != "tg1" || r.BytesPerToken < 5e6 || r.BytesPerToken > 12e6 {
		t.Errorf("json: %+v", r)
	}
}

// Several sessions compute together; their weights have no bytes a token.
func TestBenchSessions(t *testing.T) {
	var rows []benchRow
	out := must(t, "", "bench", "--tests", "pp3,tg2@2", "--sessions", "9", "--reps", "1", "--no-limits", "-o", "json")
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 2 || rows[1].Sessions != 9 || rows[1].BytesPerToken != 0 {
		t.Errorf("%s: %v", out, err)
	}
}

func TestBenchProfiles(t *testing.T) {
	dir := t.TempDir()
	cpu, mem := filepath.Join(dir, "cpu"), filepath.Join(dir, "mem")
	must(t, "", "bench", "--tests", "tg1", "--reps", "1", "--no-limits", "--cpuprofile", cpu, "--memprofile", mem)
	for _, file := range []string{cpu, mem} {
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v %v", file, info, err)
		}
	}
}

// The share is that of the memory's speed for one token after the other, of the multiply-adds for
// a prompt.
func TestLimits(t *testing.T) {
	l, err := measureLimits(t.Context(), 2)
	if err != nil || !(l.Read > 0.1) || !(l.FMA > 0.1) || !(l.Int8 > 0.1) || l.Threads != 2 {
		t.Errorf("found %+v, %v", l, err)
	}
	var rows []benchRow
	out := must(t, "", "bench", "--tests", "pp8,tg8", "--reps", "1", "-t", "1", "-o", "json")
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatal(err)
	}
	m := fableModel(t)
	layers, _ := m.MulAddsPerStep()
	amounts := []float64{2 * float64(layers), float64(m.BytesPerStep())}
	for i, r := range rows {
		// Four roundings of the product, twice.
		if want := amounts[i] * r.Rate / 1e9 / r.Peak; !(math.Abs(r.Share-want) <= 8*0x1p-53*want) {
			t.Errorf("%s: share %v of %v, expected %v", r.Test, r.Share, r.Peak, want)
		}
		if text := r.shareText(); !strings.Contains(text, []string{"GFLOP/s", "GB/s"}[i]) {
			t.Errorf("%s: %q", r.Test, text)
		}
	}
}

// fableModel builds the built-in model.
func fableModel(t *testing.T) *models.Model {
	t.Helper()
	ck, err := openCheckpoint("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	m, err := models.New(ck, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func TestMean(t *testing.T) {
	if m, d := mean([]float64{1, 2, 3, 4}); m != 2.5 || math.Abs(d-math.Sqrt(5.0/3)) > 1e-15 {
		t.Errorf("found %v ± %v", m, d)
	}
	if m, d := mean([]float64{7}); m != 7 || d != 0 {
		t.Errorf("found %v ± %v", m, d)
	}
}
