// Package net holds the networks of diffusion pipelines, built from the folders that diffusers and
// transformers write: [UNet2D], [UNet2DCondition] (Stable Diffusion 1 and 2), [DiT], the autoencoders
// [VAE] and [TAESD], and the text encoder [CLIPText].
//
// Images and latents go in and out as diffusers has them, [N, C, H, W]. Inside, pixels are rows and
// channels columns, so that a convolution is a product of a matrix of shifted rows with panels of weights.
//
// A result has the same bits for any number of threads and whatever else is in the batch: see the laws of
// package kernels. Weights may be packed in any [tensor.Format]; time features are computed in float32,
// step by step, as the references do, because networks amplify their rounding.
//
// Networks are immutable and serve any number of computations at once, each with a [Pass] of its own.
//
// Source: huggingface/diffusers 0.42, huggingface/transformers 5.23.
package net

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// Checkpoint is what a network is built from: a folder with config.json and weights.
type Checkpoint interface {
	nn.Source
	Config() []byte // config.json, as standard JSON
}

// Options say how to build a network. The zero value packs on one thread in the checkpoint's own
// precision.
type Options struct {
	Format   tensor.Format // of convolutions and linear layers
	Pool     *tensor.Pool
	Progress func(done, total int64) // bytes of weights packed, and of all
	// Plain asks for convolutions that are sums of products whatever the format. Without it those of float32 weights
	// may use Winograd's filtering, which is faster, takes 16/9 the memory, and errs a few times as much as a sum.
	Plain bool
}

// Pass is one computation after another on one goroutine: scratch, and who looks on.
type Pass struct {
	WS *tensor.Workspace
	// Finite asks for a look at every block's output; the computation then returns an error that names the
	// first block with a NaN or an infinity.
	Finite bool
	// Block, if not nil, is told the output of every block, by the name that it has in checkpoints. Of a
	// sequence of tokens they are the pixels. The values are valid during the call.
	Block func(name string, out nn.Image)
}

// Close gives back the memory of large images, which otherwise waits for the next computation or for the collector. The pass
// remains ready.
func (p *Pass) Close() { tensor.Local[run](p.WS).unmap() }

// weights is what every network has.
type weights struct {
	Params int64 // elements of the tensors that the network uses

	arena tensor.Arena
}

// WeightBytes returns the memory that packed weights take.
func (w *weights) WeightBytes() int64 { return w.arena.Size() }

// Close frees the weights. Nothing may be computed with the network any more.
func (w *weights) Close() { w.arena.Free() }

// load builds a network of a class: it takes tensors from the checkpoint, reports what was wrong with them, and packs.
func load[N interface{ base() *weights }](class string, build func(p nn.Params, config []byte) (N, error), ck Checkpoint, o Options) (n N, err error) {
	var none N
	p := nn.Bind(newSource(ck), o.Format)
	if o.Plain {
		p.Plain()
	}
	if n, err = build(p, ck.Config()); err != nil {
		return none, err
	}
	if err := p.Err(); err != nil {
		return none, fmt.Errorf("net: %s: tensors: %w", class, err)
	}
	w := n.base()
	w.Params = p.Elements()
	p.Load(&w.arena, o.Pool, o.Progress)
	return n, nil
}

// base returns what the network shares with all others.
func (w *weights) base() *weights { return w }

// builders are the networks by the classes that configurations name.
var builders = map[string]func(p nn.Params, config []byte) error{
	"UNet2DModel":                 builder(buildUNet2D),
	"UNet2DConditionModel":        builder(buildUNet2DCondition),
	"DiTTransformer2DModel":       builder(buildDiT),
	"Transformer2DModel":          builder(buildDiT),
	"AutoencoderKL":               builder(buildVAE),
	"AutoencoderTiny":             builder(buildTAESD),
	"CLIPTextModel":               builder(buildCLIPText),
	"CLIPTextModelWithProjection": builder(buildCLIPText),
}

// builder forgets the network: it only takes its tensors.
func builder[N any](build func(p nn.Params, config []byte) (N, error)) func(p nn.Params, config []byte) error {
	return func(p nn.Params, config []byte) error {
		_, err := build(p, config)
		return err
	}
}

// Tensors returns the names and shapes, in order, of the tensors that a checkpoint of the given configuration must
// hold, without the optional ones.
func Tensors(config []byte) ([]tensor.Tensor, error) {
	build, ok := builders[Class(config)]
	if !ok {
		return nil, fmt.Errorf("net: config.json: class %q: want one of %s", Class(config), strings.Join(slices.Sorted(maps.Keys(builders)), ", "))
	}
	p := nn.Record()
	if err := build(p, config); err != nil {
		return nil, err
	}
	return p.Recorded(), nil
}
