// Package diffusion samples from diffusion and flow-matching models: noise schedules, grids of noise
// levels, solvers, guidance, and the random numbers that others draw for the same seed.
//
// A sample is x = α·x0 + σ·ε, where x0 is data and ε is normal noise. A [Level] is one pair (α, σ) with
// the time by which the network knows it. What a network predicts, ε, x0, v or a flow, is wrapped away
// once, by [Predict], into a [Denoiser], which estimates x0 or ε; guidance and thresholding wrap that. A solver
// is one function in one file that moves a [Run] along a grid of levels:
//
//	grid, err := diffusion.Grid(schedule, diffusion.LogSNR, 1, schedule.End(), 20)
//	run := &diffusion.Run[float32]{X: noise, Denoise: diffusion.Predict(network, diffusion.Epsilon)}
//	err = diffusion.DPMMultistep(run, grid, diffusion.Multistep{Orders: diffusion.MultistepOrders(20, 2, true)})
//
// The same functions invert (a reversed grid), start from a picture ([Strength], [Level.AddNoise]) and
// paint into one ([Inpaint]). A [Scheduler] builds all of it from a scheduler_config.json.
//
// Coefficients are float64 functions of the grid, and sums are float64 for samples of either type. A run
// allocates its buffers at its first step and nothing after.
//
// Where a published implementation departs from its formula, the formula is the default and Compat asks
// for the departure. Samples of non-finite values, levels out of order and parameters that lead to NaN
// are refused with an error.
//
// Sources: Lu et al. 2022, arXiv:2206.00927 (DPM-Solver) and arXiv:2211.01095 (DPM-Solver++), Zhao et al.
// 2023, arXiv:2302.04867 (UniPC); LuChengTHU/dpm-solver@52bc3fb; huggingface/diffusers 0.42.
package diffusion
