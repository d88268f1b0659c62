package nn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/tensor"
)

// Source is where weights come from: a checkpoint, or a map in tests.
type Source interface {
	Tensor(name string) (tensor.Tensor, bool)
	Names() []string
}

// Params is a window over a source's tensors with a common prefix. Constructors take tensors
// from it by name and shape; it remembers what was taken and everything that was wrong, so that
// Err reports all of it at once, and packs nothing before Load.
type Params struct {
	prefix string
	b      *binding
}

// binding is what the windows of one source share.
type binding struct {
	src    Source
	format tensor.Format
	used   map[string]bool
	errs   []error
	jobs   []job
}

// job is one weight to pack.
type job struct {
	dst    *Linear
	format tensor.Format
	parts  []tensor.Tensor
}

// Bind returns a window over the whole source. Projections will be packed in the given format.
func Bind(src Source, format tensor.Format) Params {
	return Params{"", &binding{src: src, format: format, used: map[string]bool{}}}
}

// Sub returns the window of the names that begin with name and a dot.
func (p Params) Sub(name string) Params { return Params{p.prefix + name + ".", p.b} }

// Has reports whether the tensor exists, without taking it.
func (p Params) Has(name string) bool {
	_, ok := p.b.src.Tensor(p.prefix + name)
	return ok
}

// Rows returns the length of the tensor's first axis, 0 if there is no such tensor or axis.
func (p Params) Rows(name string) int {
	t, ok := p.b.src.Tensor(p.prefix + name)
	if !ok || len(t.Shape) == 0 {
		return 0
	}
	return t.Shape[0]
}

// Fail records an error in the checkpoint, in the name of the window.
func (p Params) Fail(format string, args ...any) {
	p.b.errs = append(p.b.errs, fmt.Errorf("%s: %s", strings.TrimSuffix(p.prefix, "."), fmt.Sprintf(format, args...)))
}

// Tensor takes the tensor of the given name, which must have the given shape. Where it does not,
// the error is recorded and a tensor of that shape without data returned.
func (p Params) Tensor(name string, shape ...int) tensor.Tensor {
	full := p.prefix + name
	t, ok := p.b.src.Tensor(full)
	p.b.used[full] = true
	switch {
	case !ok:
		p.b.errs = append(p.b.errs, fmt.Errorf("%s: missing, want %v", full, shape))
	case !slices.Equal(t.Shape, shape):
		p.b.errs = append(p.b.errs, fmt.Errorf("%s: shape %v, want %v", full, t.Shape, shape))
	default:
		return t
	}
	return tensor.Tensor{Name: full, Type: tensor.F32, Shape: shape}
}

// Vec takes a tensor of the given shape and decodes it.
func (p Params) Vec(name string, shape ...int) []float32 {
	t := p.Tensor(name, shape...)
	if t.Data == nil {
		return nil
	}
	v := make([]float32, t.Elements())
	t.Floats(v, 0)
	return v
}

// Drop accepts tensors that the engine has no use for.
func (p Params) Drop(names ...string) {
	for _, n := range names {
		p.b.used[p.prefix+n] = true
	}
}

// Linear stacks matrices of the same number of columns into one projection, to be packed in the
// chosen format by Load.
func (p Params) Linear(parts ...tensor.Tensor) *Linear { return p.linear(p.b.format, parts) }

// Exact stacks matrices into a projection that keeps the checkpoint's precision whatever the
// chosen format: for routers, gates and decays, small and sensitive.
func (p Params) Exact(parts ...tensor.Tensor) *Linear { return p.linear(tensor.FormatAuto, parts) }

func (p Params) linear(format tensor.Format, parts []tensor.Tensor) *Linear {
	l := new(Linear)
	p.b.jobs = append(p.b.jobs, job{l, format, parts})
	return l
}

// Err returns everything that was wrong, the tensors that nobody took included.
func (p Params) Err() error {
	errs := slices.Clone(p.b.errs)
	var unused []string
	for _, n := range p.b.src.Names() {
		if !p.b.used[n] {
			unused = append(unused, n)
		}
	}
	const most = 20
	for i, n := range unused {
		if i == most {
			errs = append(errs, fmt.Errorf("and %d more unused tensors", len(unused)-most))
			break
		}
		errs = append(errs, fmt.Errorf("%s: not part of this architecture", n))
	}
	return errors.Join(errs...)
}

// Elements returns the number of elements of all tensors taken.
func (p Params) Elements() (n int64) {
	for name := range p.b.used {
		if t, ok := p.b.src.Tensor(name); ok {
			n += int64(t.Elements())
		}
	}
	return n
}

// Load packs all projections into the arena. Progress, if not nil, is told the checkpoint bytes
// packed and in all. It must follow a nil Err.
func (p Params) Load(arena *tensor.Arena, pool *tensor.Pool, progress func(done, total int64)) {
	var done, total int64
	for _, j := range p.b.jobs {
		total += j.bytes()
	}
	for _, j := range p.b.jobs {
		j.dst.W = tensor.Pack(arena, pool, j.format, j.parts...)
		if done += j.bytes(); progress != nil {
			progress(done, total)
		}
	}
	p.b.jobs = nil
}

func (j job) bytes() (n int64) {
	for _, t := range j.parts {
		n += int64(len(t.Data))
	}
	return n
}
