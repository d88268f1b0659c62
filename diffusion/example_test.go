package diffusion_test

import (
	"fmt"

	"github.com/mminfer/mminfer/diffusion"
)

// A sampler of a scheduler_config.json, driven by a network that finds half of x to be noise.
func ExampleScheduler() {
	s, err := diffusion.ParseScheduler([]byte(`{
		"_class_name": "DPMSolverMultistepScheduler",
		"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
		"use_karras_sigmas": true
	}`), "")
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := s.Plan(5, diffusion.PlanOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	network := func(dst, x []float32, time float64) error {
		for i, v := range x {
			dst[i] = v / 2
		}
		return nil
	}
	run := &diffusion.Run[float32]{X: make([]float32, 4), Denoise: diffusion.Wrap(plan, network)}
	diffusion.Normal(diffusion.NewGenerator(0), run.X)
	run.After = func(at diffusion.Progress, x []float32) error {
		fmt.Printf("%d of %d: %.3f\n", at.Step, at.Steps, x)
		return nil
	}
	if err := diffusion.Solve(plan, run); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1 of 5: [3.063 -0.583 -4.331 1.130]
	// 2 of 5: [4.951 -0.943 -7.000 1.826]
	// 3 of 5: [3.968 -0.755 -5.610 1.464]
	// 4 of 5: [2.920 -0.556 -4.129 1.077]
	// 5 of 5: [2.879 -0.548 -4.071 1.062]
}

// DPM-Solver++ 2M on a continuous schedule.
func ExampleDPMMultistep() {
	schedule, err := diffusion.NewLinearVP(0.1, 20)
	if err != nil {
		fmt.Println(err)
		return
	}
	grid, err := diffusion.Grid(schedule, diffusion.LogSNR, 1, schedule.End(), 20)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Normal data of mean 2 and deviation 0.5: the mean of x0 given x is known.
	data := func(dst, x []float64, at diffusion.Level) error {
		v := at.Alpha*at.Alpha*0.25 + at.Sigma*at.Sigma
		for i, x := range x {
			dst[i] = 2 + 0.25*at.Alpha/v*(x-2*at.Alpha)
		}
		return nil
	}
	run := &diffusion.Run[float64]{X: []float64{-1, 0, 1}, Denoise: diffusion.FromData(data)}
	err = diffusion.DPMMultistep(run, grid, diffusion.Multistep{Orders: diffusion.MultistepOrders(20, 2, true)})
	fmt.Printf("%.1f %v\n", run.X, err)
	// Output:
	// [1.5 2.0 2.5] <nil>
}
