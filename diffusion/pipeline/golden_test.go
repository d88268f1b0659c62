package pipeline_test

import (
	"os"
	"testing"

	"github.com/mminfer/mminfer/diffusion/pipeline"
	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/internal/golden/drawing"
)

// TestGolden draws with the golden pipelines, and with the built-in model in five steps of every solver.
// The command verify computes all columns.
func TestGolden(t *testing.T) {
	run := func(name string, least int, f func() ([]golden.Result, error)) {
		t.Run(name, func(t *testing.T) {
			results, err := f()
			if err != nil {
				t.Fatal(err)
			}
			if len(results) < least {
				t.Errorf("%d results, want %d", len(results), least)
			}
			for _, r := range results {
				if !r.OK() {
					t.Errorf("%+v", r)
				}
			}
		})
	}
	const dir = "testdata/golden/"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	for name, least := range map[string]int{"sd_pipeline": 10, "dit_pipeline": 22, "ddpm_pipeline": 2} {
		run(name, least, func() ([]golden.Result, error) { return drawing.Pipeline(dir+name, pipeline.Options{}) })
	}
	run("emoji", 24, func() ([]golden.Result, error) {
		return drawing.Samples("../../demo/emoji", pipeline.Options{}, []int{5})
	})
}
