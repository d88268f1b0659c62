// Package models builds sequence models from checkpoints: one file for each architecture, named
// after its model_type, that holds a configuration, its validation and a constructor. A model is
// a list of residual blocks; no architecture has a forward pass of its own.
package models

import (
	"crypto/sha256"
	"fmt"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// Checkpoint is what a model is built from.
type Checkpoint interface {
	nn.Source
	Config() []byte // config.json, as standard JSON
}

// Options say how to build a model. The zero value packs on one thread in the checkpoint's own
// precision.
type Options struct {
	Format   tensor.Format
	KV       tensor.Format // keys and values in states: F32, which Auto is too, BF16, F16 or Q8
	Pool     *tensor.Pool
	Progress func(done, total int64)                       // bytes of weights packed, and of all
	OnPacked func(w *tensor.Weight, parts []tensor.Tensor) // told every weight and what it was packed of; may be nil
	BindOnly bool                                          // check and describe the checkpoint without packing: nothing can be computed

	// Watch, if not nil, is shown the inputs of the projections that write to the residual stream,
	// [T, heads·dim] of attentions and [T, I] of MLPs, wherever something is computed. Only models
	// whose layers all are such an attention and a gated MLP can be watched.
	Watch func(layer int, mlp bool, x tensor.Mat)
}

// Model is an immutable model: it serves any number of sequences at once.
type Model struct {
	Type   string        // model_type
	Format tensor.Format // as asked for
	Vocab  int           // tokens
	Width  int           // D
	Params int64         // elements of the checkpoint's tensors that the model uses

	// Notes are what is odd about the checkpoint and was passed over.
	Notes []string

	embed      tensor.Tensor // [Vocab, D]
	pictures   *pictures     // nil if it takes none
	embedScale float32       // of the embeddings, 0 for 1
	embedQ8    bool          // the embeddings are rounded to 8 bits, as the head that they are tied to
	embedNorm  nn.Norm       // of the embeddings, which then are the residual stream
	embeds     bool          // some block looks at the embeddings
	layers     []Layer
	norm       nn.Norm
	head       *nn.Linear // [Vocab, D]
	logitScale float32    // of the logits, 0 for 1

	fingerprint [32]byte
	arena       tensor.Arena
	specs       []nn.StateSpec // of every block with a state, in order
}

// Layer is what one numbered layer of a checkpoint adds to the residual stream.
type Layer struct {
	Norm   nn.Norm    // of the residual stream before the blocks; none in most models
	Blocks []nn.Block // in order
}

// Layers returns the number of layers.
func (m *Model) Layers() int { return len(m.layers) }

// LayerKinds returns how many layers keep numbers of fixed count for a sequence, and how many keep
// keys and values. A layer may do both.
func (m *Model) LayerKinds() (fixed, attentions int) {
	for _, l := range m.layers {
		numbers, keys := false, false
		for _, b := range l.Blocks {
			spec := b.Mixer.StateSpec()
			numbers, keys = numbers || spec.Floats > 0, keys || spec.KV.Heads > 0
		}
		if numbers {
			fixed++
		}
		if keys {
			attentions++
		}
	}
	return fixed, attentions
}

// WeightBytes returns the memory that packed weights and the embedding take.
func (m *Model) WeightBytes() int64 {
	n := m.arena.Size() + int64(len(m.embed.Data))
	if m.pictures != nil {
		n += m.pictures.bytes()
	}
	return n
}

// StateFloats returns the float32 numbers of a sequence's state that do not grow with the text.
func (m *Model) StateFloats() int {
	n := 0
	for _, s := range m.specs {
		n += s.Floats
	}
	return n
}

// BytesPerToken returns what a sequence's state grows by with each token, windowed attentions not
// counted.
func (m *Model) BytesPerToken() int {
	n := 0
	for _, s := range m.specs {
		if s.KV.Window == 0 {
			n += s.KV.BytesPerToken()
		}
	}
	return n
}

// BytesPerStep returns the bytes that one token of one sequence reads and writes: active weights in
// their format, head included, a row of the embedding, and the recurrent state, read and written.
// Keys and values are not counted.
func (m *Model) BytesPerStep() int64 {
	n := m.head.W.Bytes() + int64(len(m.embed.Data)/m.Vocab)
	for _, l := range m.layers {
		for _, b := range l.Blocks {
			n += b.Mixer.StepBytes()
		}
	}
	return n
}

// MulAddsPerStep returns the multiply-adds of one token's projections in the layers, and those of
// the head, which only wanted rows pay.
func (m *Model) MulAddsPerStep() (layers, head int64) {
	for _, l := range m.layers {
		for _, b := range l.Blocks {
			layers += b.Mixer.StepMulAdds()
		}
	}
	return layers, int64(m.head.W.Rows) * int64(m.head.W.Cols)
}

// Fingerprint identifies what a state depends on: configuration, tensors, and a format that
// changes weights.
func (m *Model) Fingerprint() [32]byte { return m.fingerprint }

// Close frees the model's weights. Nothing may be computed with it any more.
func (m *Model) Close() { m.arena.Free() }

// New builds the model of a checkpoint. The error tells everything that is wrong with its
// tensors.
func New(ck Checkpoint, opts Options) (*Model, error) {
	kind, build, err := architecture(ck.Config())
	if err != nil {
		return nil, err
	}
	switch opts.KV {
	case tensor.FormatAuto, tensor.FormatF32, tensor.FormatBF16, tensor.FormatF16, tensor.FormatQ8:
	default:
		return nil, fmt.Errorf("models: keys and values in %v: expected f32, bf16, f16 or q8", opts.KV)
	}
	if opts.Format, err = packedFormat(ck, opts.Format); err != nil {
		return nil, fmt.Errorf("models: %s: %w", kind, err)
	}
	p := nn.Bind(ck, opts.Format)
	m, err := build(kind, ck.Config(), p)
	if err != nil {
		return nil, fmt.Errorf("models: %s: config.json: %w", kind, err)
	}
	if err := p.Err(); err != nil {
		return nil, fmt.Errorf("models: %s: tensors: %w", kind, err)
	}
	m.Type, m.Format = kind, opts.Format
	m.Params = p.Elements()
	m.embedQ8 = opts.Format.Quantised() && m.embed.Type != tensor.Packed && p.Projects(m.embed.Name)
	for _, l := range m.layers {
		for _, b := range l.Blocks {
			spec := b.Mixer.StateSpec()
			spec.KV.Format = opts.KV
			m.specs = append(m.specs, spec)
			m.embeds = m.embeds || b.Embeds
		}
	}
	if opts.Watch != nil {
		if err := m.watch(opts.Watch); err != nil {
			return nil, fmt.Errorf("models: %s: %w", kind, err)
		}
	}
	if !opts.BindOnly {
		m.fingerprint = Fingerprint(ck, opts.Format, opts.Pool)
		if opts.KV != tensor.FormatAuto && opts.KV != tensor.FormatF32 && m.BytesPerToken() > 0 {
			m.fingerprint = sha256.Sum256(fmt.Appendf(nil, "%x with keys and values in %v", m.fingerprint, opts.KV))
		}
		p.OnPacked(opts.OnPacked)
		p.Load(&m.arena, opts.Pool, opts.Progress)
	}
	return m, nil
}

// Tensors returns the names and shapes, in order, of the tensors that a checkpoint of the given
// configuration must hold, without the optional ones.
func Tensors(config []byte) ([]tensor.Tensor, error) {
	kind, build, err := architecture(config)
	if err != nil {
		return nil, err
	}
	p := nn.Record()
	if _, err := build(kind, config, p); err != nil {
		return nil, fmt.Errorf("models: %s: config.json: %w", kind, err)
	}
	return p.Recorded(), nil
}
