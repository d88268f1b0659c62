package diffusion_test

import (
	"os"
	"testing"

	"github.com/mminfer/mminfer/internal/golden"
)

// TestGolden runs every case of the reference's samplers and random numbers.
func TestGolden(t *testing.T) {
	const dir = "testdata/golden"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	least := map[string]int{"dpm_solver.json": 40, "trajectories.json": 145, "diffusers_schedulers.json": 23, "torch_randn.json": 28}
	for _, file := range golden.DiffusionFiles() {
		cases, err := golden.Diffusion(dir, file)
		if err != nil {
			t.Fatal(err)
		}
		wrong := 0
		for _, c := range cases {
			if c.Err != nil {
				wrong++
				t.Errorf("%s: %s: %v", file, c.Name, c.Err)
			}
		}
		if len(cases) != least[file] {
			t.Errorf("%s: %d cases, want %d", file, len(cases), least[file])
		}
		t.Logf("%s: %d / %d", file, wrong, len(cases))
	}
}
