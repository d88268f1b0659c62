package pipeline_test

import (
	"os"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/diffusion/pipeline"
	"github.com/mminfer/mminfer/tensor"
)

// An open pipeline has its weights in memory once: the files that they were packed of are not mapped any more.
func TestFilesAreClosed(t *testing.T) {
	p, err := pipeline.Open("testdata/golden/sd_pipeline", pipeline.Options{Format: tensor.FormatQ8})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(maps), "sd_pipeline") {
		t.Errorf("files of the pipeline are mapped:\n%s", maps)
	}
}
