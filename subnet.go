package mminfer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/subnet"
)

// shaping is what options say about a subnet.
type shaping struct {
	shape, adapter, strategy string
	factored                 bool
	gates                    []float32
	seed                     *uint64
	depth                    []int
}

// wanted reports whether a subnet is asked for.
func (s *shaping) wanted() bool {
	return s.shape != "" || s.adapter != "" || s.strategy != "" || s.factored || s.gates != nil || s.seed != nil || s.depth != nil
}

// WithShape opens the subnet of a shape, DEPTHxWIDTH such as 24x0.75 or 24x7/8, in place of the whole
// model. What shapes there are, the files of [WithStrategy] and [WithAdapter] say; the default is the
// largest.
func WithShape(shape string) Option { return func(o *options) { o.subnet.shape = shape } }

// WithAdapter adds the low-rank adapter in a directory: see [subnet.OpenAdapter]. It is merged into the
// weights; where those are quantised, which loses small corrections, it stays factored.
func WithAdapter(dir string) Option { return func(o *options) { o.subnet.adapter = dir } }

// WithStrategy names the file, or the directory, that says which layers, heads and neurons a shape
// keeps: see [subnet.OpenStrategy].
func WithStrategy(path string) Option { return func(o *options) { o.subnet.strategy = path } }

// WithFactored holds the whole model in memory and the adapter's corrections apart, so that
// [Engine.Reshape] reads no weights again. Decoding is a few per cent slower, and differs by rounding from
// merged weights.
func WithFactored() Option { return func(o *options) { o.subnet.factored = true } }

// WithGates sets the weights of the adapter's experts, which otherwise depend on the shape alone.
func WithGates(gates []float32) Option {
	return func(o *options) { o.subnet.gates = slices.Clone(gates) }
}

// WithGateSeed adds to the gates the noise that the reference adds to them, drawn from a seed.
func WithGateSeed(seed uint64) Option { return func(o *options) { o.subnet.seed = &seed } }

// WithLayers keeps the given layers in place of those that the strategy chooses for a depth; that of
// [WithShape] is then not looked at.
func WithLayers(layers []int) Option {
	return func(o *options) { o.subnet.depth = slices.Clone(layers) }
}

// family is what engines of several shapes share. The last one that closes closes it.
type family struct {
	*subnet.Family
	weights *subnet.Weights // nil unless the whole model is held in memory
	options shaping
	build   models.Options
	files   [][]byte // of the tokenizer

	mu    sync.Mutex
	users int
}

// openFamily opens what the options name beside the base.
func openFamily(ck *loader.Checkpoint, s shaping, build models.Options) (f *family, err error) {
	build.Progress = nil
	f = &family{options: s, build: build, users: 1}
	if f.Family, err = subnet.Open(ck, s.adapter, s.strategy); err != nil {
		return nil, err
	}
	if s.factored {
		f.weights = new(subnet.Weights)
	}
	return f, nil
}

// close frees the weights and the adapter.
func (f *family) close() error {
	if f.weights != nil {
		f.weights.Free()
	}
	return f.Family.Close()
}

// leave counts an engine out, and reports whether it was the last.
func (f *family) leave() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users--
	return f.users == 0
}

// build makes the model of a checkpoint, or of the subnet that the options ask for.
func (e *Engine) build(o options) (err error) {
	opts := models.Options{Format: o.format, KV: o.kv, Pool: e.pool, Progress: o.progress}
	if !o.subnet.wanted() {
		e.model, err = models.New(e.checkpoint, opts)
		return err
	}
	f, err := openFamily(e.checkpoint, o.subnet, opts)
	if err != nil {
		return err
	}
	shape := f.Whole()
	if o.subnet.shape != "" {
		shape, err = subnet.ParseShape(o.subnet.shape)
	}
	if err == nil && f.weights != nil && shape != f.Whole() {
		err = f.fill(opts)
		opts.Progress = nil
	}
	if err == nil {
		err = e.cut(f, shape, o.subnet.depth, opts)
	}
	if err != nil {
		return errors.Join(err, f.close())
	}
	if e.Info().Untrained {
		o.logger.Warn("the adapter's recipe does not train this shape", "shape", e.subnet.Shape.String())
	}
	return nil
}

// cut makes the model of a shape.
func (e *Engine) cut(f *family, shape subnet.Shape, depth []int, opts models.Options) (err error) {
	if e.subnet, e.model, err = f.model(shape, depth, opts); err == nil {
		e.family = f
	}
	return err
}

// fill brings the weights that shapes share into memory.
func (f *family) fill(opts models.Options) error {
	_, m, err := f.model(f.Whole(), nil, opts)
	if err == nil {
		m.Close()
	}
	return err
}

func (f *family) model(shape subnet.Shape, depth []int, opts models.Options) (*subnet.Subnet, *models.Model, error) {
	s, err := f.Cut(shape, subnet.Options{
		Format: opts.Format, Gates: f.options.gates, GateSeed: f.options.seed, Depth: depth,
		Factored: f.options.factored || f.Adapted() && f.Quantised(opts.Format), Weights: f.weights,
	})
	if err != nil {
		return nil, nil, err
	}
	m, err := models.New(s, opts)
	return s, m, err
}

// Reshape opens another shape of a model that was opened as a subnet. Both engines can be used, and each
// must be closed; sessions stay with their own. Of an engine opened with [WithFactored] it reads no
// weights again.
func (e *Engine) Reshape(shape string) (*Engine, error) {
	e.closing.RLock()
	defer e.closing.RUnlock()
	f := e.family
	switch {
	case e.closed:
		return nil, ErrClosed
	case f == nil:
		return nil, errors.New("mminfer: reshape: the model was not opened as a subnet; use WithShape, WithStrategy or WithAdapter")
	}
	s, err := subnet.ParseShape(shape)
	if err != nil {
		return nil, err
	}
	n := &Engine{
		checkpoint: e.checkpoint, tokenizer: e.tokenizer, generation: e.generation, pool: e.pool,
		normalization: e.normalization, template: e.template, templateErr: e.templateErr,
	}
	if err := n.cut(f, s, nil, f.build); err != nil {
		return nil, fmt.Errorf("mminfer: reshape: %w", err)
	}
	n.identify(f.files)
	f.mu.Lock()
	f.users++
	f.mu.Unlock()
	return n, nil
}

// Shapes returns the shapes that [Engine.Reshape] takes, nil for a model that was not opened as a
// subnet.
func (e *Engine) Shapes() (shapes []string) {
	if e.family != nil {
		for _, s := range e.family.Shapes() {
			shapes = append(shapes, s.String())
		}
	}
	return shapes
}

// identify computes the fingerprint of the model and of the tokenizer's files.
func (e *Engine) identify(files [][]byte) {
	model := e.model.Fingerprint()
	h := sha256.New()
	h.Write(model[:])
	for _, b := range files {
		h.Write(b)
	}
	e.fingerprint = [sha256.Size]byte(h.Sum(nil))
}

// release frees what only this engine has, and what it shares with others if it is the last.
func (e *Engine) release() error {
	e.model.Close()
	if e.family == nil {
		e.pool.Close()
		return e.checkpoint.Close()
	}
	if !e.family.leave() {
		return nil
	}
	e.pool.Close()
	return errors.Join(e.family.close(), e.checkpoint.Close())
}

// weightBytes is the memory of weights, shared ones included.
func (e *Engine) weightBytes() int64 {
	n := e.model.WeightBytes()
	if e.family != nil && e.family.weights != nil {
		n += e.family.weights.Bytes()
	}
	return n
}
