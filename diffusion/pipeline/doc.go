// Package pipeline draws pictures with the folders that diffusers writes: Stable Diffusion 1 and 2 and
// latent consistency models (from a text), DiT (from a class), and networks of pixels (from a class or from
// nothing).
//
//	p, err := pipeline.Open(dir, pipeline.Options{Pool: pool})
//	r := pipeline.Request{Class: pipeline.None, Prompt: "a lighthouse", Guidance: 7.5, Seeds: []uint64{1}}
//	result, err := p.Generate(ctx, r)
//
// A picture depends on its request and its seed, not on the number of threads nor on what else is drawn
// beside it, and its noise is the same on every machine; see [diffusion.Counter]. Solver state is float64,
// networks compute in float32.
//
// A folder is treated as hostile: only the parts that the pipeline's class has are opened, by their own
// names, through [os.Root]; classes are compared with those that run; pickles are never read. Safety
// checkers of published pipelines are not run.
package pipeline
