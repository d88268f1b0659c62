package diffusion

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// Part of a plan leads to the data that the denoiser sees, from data and noise at its first level; the
// whole is the plan itself.
func TestPart(t *testing.T) {
	for class := range classes {
		if class == "IPNDMScheduler" {
			continue // its networks have times of their own, and no pictures are changed with it
		}
		for _, n := range []int{7, 20} {
			file := fmt.Sprintf(`{"_class_name":%q,"clip_sample":false,"solver_order":3,"disable_corrector":[0,9]}`, class)
			s, err := ParseScheduler([]byte(file), "")
			if err != nil {
				t.Fatal(err)
			}
			plan, err := s.Plan(n, PlanOptions{})
			if err != nil {
				t.Fatalf("%s: %v", class, err)
			}
			for _, strength := range []float64{1, 0.7, 0.3} {
				part, err := plan.Part(strength)
				if err != nil {
					t.Fatalf("%s: %v", class, err)
				}
				steps := len(part.Levels) - 1
				if want := int(float64(n) * strength); steps < want || steps > want+2 || strength == 1 && !slices.Equal(part.Levels, plan.Levels) {
					t.Errorf("%s: strength %g of %d steps leaves %d", class, strength, n, steps)
				}
				from := len(plan.Levels) - len(part.Levels)
				if got := part.scheduler.cfg.NoCorrector; !slices.Equal(got, []int{-from, 9 - from}) {
					t.Errorf("%s: strength %g of %d steps does not correct %v", class, strength, n, got)
				}
				const data = 0.3
				x := []float64{1.1}
				AddNoise(x, []float64{data}, x, part.Levels[0])
				run := &Run[float64]{X: x, Noise: func(z []float64) { clear(z) }, Denoise: FromData(func(dst, _ []float64, _ Level) error {
					dst[0] = data
					return nil
				})}
				if err := Solve(part, run); err != nil {
					t.Errorf("%s: strength %g of %d steps: %v", class, strength, n, err)
				}
				// LCM keeps a little of the sample, and TCD ends at its inner level.
				exact := part.Levels[steps].Sigma == 0 && class != "LCMScheduler" && class != "TCDScheduler"
				if got := x[0]; exact && !(math.Abs(got-data) <= 1e-9) {
					t.Errorf("%s: strength %g of %d steps: %g, want %g", class, strength, n, got, data)
				}
			}
		}
	}
}

func TestContinuous(t *testing.T) {
	s, err := ParseScheduler([]byte(`{"_class_name":"DDIMScheduler"}`), "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Continuous()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Level(1).Lambda(); !(math.Abs(got+5.05883659) <= 1e-8) {
		t.Errorf("λ at time 1 is %.9g, want -5.05883659", got)
	}
	for _, file := range []string{`{"_class_name":"FlowMatchEulerDiscreteScheduler"}`, `{"_class_name":"DDIMScheduler","rescale_betas_zero_snr":true}`} {
		if s, err = ParseScheduler([]byte(file), ""); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Continuous(); err == nil {
			t.Errorf("%s: accepted", file)
		}
	}
}
