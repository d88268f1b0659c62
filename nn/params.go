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
	Tensor(name string) (tensor.Tensor, bool) // false if there is none of that name
	Names() []string
}

// Packer is a Source that packs matrices itself. It may leave tensors that only matter as projections
// without data.
type Packer interface {
	Source
	// Pack returns a tensor of the source as a weight; memory that is the weight's alone is the arena's.
	Pack(arena *tensor.Arena, pool *tensor.Pool, format tensor.Format, t tensor.Tensor) *tensor.Weight
}

// Releaser is a Source whose tensors may be views of files. Load releases what it has packed, so that a model and its
// files are not in memory both.
type Releaser interface {
	Source
	// Release gives back the memory behind a tensor until somebody looks at it again.
	Release(t tensor.Tensor)
}

// Params is a window over a source's tensors with a common prefix. Constructors take tensors
// from it by name and shape; it remembers what was taken and everything that was wrong, so that
// Err reports all of it at once, and packs nothing before Load.
type Params struct {
	prefix string
	b      *binding
	high   bool
}

// binding is what the windows of one source share.
type binding struct {
	src    Source
	format tensor.Format
	used   map[string]bool // taken: true; dropped: false
	errs   []error
	packed func(w *tensor.Weight, parts []tensor.Tensor)
	failed int // errors, those counted but not kept included
	jobs   []job
	plain  bool

	recording bool
	recorded  []tensor.Tensor
}

// job is one weight to pack.
type job struct {
	dst    *Linear
	format tensor.Format
	parts  []tensor.Tensor
	as     packing
}

// packing is what a job makes of its parts.
type packing uint8

const (
	asMatrix   packing = iota
	asTaps             // the filters of a convolution: columns in the order of a [tensor.Convolution]
	asWinograd         // the same for Winograd's filtering
)

// Bind returns a window over the whole source. Projections will be packed in the given format.
func Bind(src Source, format tensor.Format) Params {
	return Params{b: &binding{src: src, format: format, used: map[string]bool{}}}
}

// Record returns a window without a source, in which every tensor exists that a constructor takes
// and none that it asks about: what it took is then what a checkpoint has to hold.
func Record() Params {
	return Params{b: &binding{src: nothing{}, used: map[string]bool{}, recording: true}}
}

// nothing is a source without tensors.
type nothing struct{}

func (nothing) Tensor(string) (tensor.Tensor, bool) { return tensor.Tensor{}, false }

func (nothing) Names() []string { return nil }

// Recorded returns names and shapes of the tensors taken from a window of [Record].
func (p Params) Recorded() []tensor.Tensor { return p.b.recorded }

// Stored tells, for [Params.Recorded], the shape in which files hold the tensor taken last.
func (p Params) Stored(shape ...int) {
	if p.b.recording {
		p.b.recorded[len(p.b.recorded)-1].Shape = shape
	}
}

// Sub returns the window of the names that begin with name and a dot.
func (p Params) Sub(name string) Params { return Params{p.prefix + name + ".", p.b, p.high} }

// High returns the same window, whose projections have at least 8 bits: for the head and what a
// recurrent layer puts out, which suffer most from fewer.
func (p Params) High() Params { return Params{p.prefix, p.b, true} }

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
	p.b.fail("%s: %s", strings.TrimSuffix(p.prefix, "."), fmt.Sprintf(format, args...))
}

// most is how many errors, and how many unused tensors, Err names.
const most = 100

func (b *binding) fail(format string, args ...any) {
	if b.failed++; b.failed <= most {
		b.errs = append(b.errs, fmt.Errorf(format, args...))
	}
}

// TooMany reports whether more is wrong than Err names. A constructor whose loop is as long as a
// configuration claims should then stop.
func (p Params) TooMany() bool { return p.b.failed > most }

// Tensor takes the tensor of the given name, which must have the given shape. Where it does not,
// the error is recorded and a tensor of that shape without data returned.
func (p Params) Tensor(name string, shape ...int) tensor.Tensor {
	full := p.prefix + name
	t, ok := p.b.src.Tensor(full)
	if ok {
		p.b.used[full] = true
	}
	switch {
	case p.b.recording:
		p.b.recorded = append(p.b.recorded, tensor.Tensor{Name: full, Type: tensor.F32, Shape: shape})
	case !ok:
		p.b.fail("%s: missing, want %v", full, shape)
	case !slices.Equal(t.Shape, shape):
		p.b.fail("%s: shape %v, want %v", full, t.Shape, shape)
	case !t.Type.Float():
		p.b.fail("%s: type %v, want floating-point numbers; quantised checkpoints of other programs are not supported", full, t.Type)
	default:
		return t.Whole()
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
		p.b.drop(p.prefix + n)
	}
}

// drop marks a tensor as known, unless it was taken.
func (b *binding) drop(name string) {
	if !b.used[name] {
		b.used[name] = false
	}
}

// DropAll accepts all tensors whose names begin with name and a dot.
func (p Params) DropAll(name string) {
	for _, n := range p.b.src.Names() {
		if strings.HasPrefix(n, p.prefix+name+".") {
			p.b.drop(n)
		}
	}
}

// Linear stacks matrices of the same number of columns into one projection, to be packed in the
// chosen format by Load.
func (p Params) Linear(parts ...tensor.Tensor) *Linear {
	if p.high {
		return p.linear(p.b.format.High(), parts)
	}
	return p.linear(p.b.format, parts)
}

// Exact stacks matrices into a projection that keeps the checkpoint's precision whatever the
// chosen format: for routers, gates and decays, small and sensitive.
func (p Params) Exact(parts ...tensor.Tensor) *Linear {
	for _, t := range parts {
		if n, _ := t.Type.Block(); n > 1 {
			return p.linear(tensor.FormatF32, parts)
		}
	}
	return p.linear(tensor.FormatAuto, parts)
}

func (p Params) linear(format tensor.Format, parts []tensor.Tensor) *Linear {
	l := new(Linear)
	p.b.jobs = append(p.b.jobs, job{dst: l, format: format, parts: parts})
	return l
}

// Conv makes filters [out, in, KH, KW] a projection of patches, whose columns are [KH, KW, in], in the chosen
// format; exact, in the checkpoint's precision.
func (p Params) Conv(filters tensor.Tensor, exact bool) *Linear {
	l := p.Linear
	if exact {
		l = p.Exact
	}
	conv := l(filters)
	p.b.jobs[len(p.b.jobs)-1].as = asTaps
	return conv
}

// Projects reports whether a projection takes the tensor of the given full name.
func (p Params) Projects(name string) bool {
	return slices.ContainsFunc(p.b.jobs, func(j job) bool {
		return slices.ContainsFunc(j.parts, func(t tensor.Tensor) bool { return t.Name == name })
	})
}

// winogradChannels are the fewest for which Winograd's filtering was measured to be faster.
const winogradChannels = 64

// Conv3x3 is Conv for filters of 3 by 3 taps that move by one pixel, with a zero on all sides. In float32, and with enough channels, it is
// made ready for Winograd's filtering: faster by 1.5 to 2 and 16/9 as large, with an error some times that of a sum.
func (p Params) Conv3x3(filters tensor.Tensor) *Linear {
	conv := p.Conv(filters, false)
	j := &p.b.jobs[len(p.b.jobs)-1]
	if j.format.For(filters.Type) == tensor.FormatF32 && !p.b.plain && min(filters.Shape[0], filters.Shape[1]) >= winogradChannels {
		j.as = asWinograd
	}
	return conv
}

// Plain asks for convolutions that are sums of products, without Winograd's filtering.
func (p Params) Plain() { p.b.plain = true }

// Err returns everything that was wrong, the tensors that nobody took included.
func (p Params) Err() error {
	errs := slices.Clone(p.b.errs)
	if p.TooMany() {
		return errors.Join(append(errs, fmt.Errorf("and %d more", p.b.failed-most))...)
	}
	unused := 0
	for _, n := range p.b.src.Names() {
		if _, known := p.b.used[n]; known {
			continue
		}
		if unused++; unused <= most {
			errs = append(errs, fmt.Errorf("%s: not part of this architecture", n))
		}
	}
	if unused > most {
		errs = append(errs, fmt.Errorf("and %d more unused tensors", unused-most))
	}
	return errors.Join(errs...)
}

// Elements returns the number of elements of all tensors taken.
func (p Params) Elements() (n int64) {
	for name, taken := range p.b.used {
		if t, ok := p.b.src.Tensor(name); ok && taken {
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
	for i, j := range p.b.jobs {
		p.b.pack(j, arena, pool)
		if p.b.packed != nil {
			p.b.packed(j.dst.W, j.parts)
		}
		p.b.release(j.parts)
		p.b.jobs[i] = job{} // a checkpoint may have made the bytes for this alone
		if done += j.bytes(); progress != nil {
			progress(done, total)
		}
	}
	p.b.jobs = nil
}

// release lets go of what was packed. Weights of files that are packed already are views of it.
func (b *binding) release(parts []tensor.Tensor) {
	r, ok := b.src.(Releaser)
	for _, t := range parts {
		if ok && t.Type != tensor.Packed {
			r.Release(t)
		}
	}
}

// pack packs one weight; what a [Packer] packs lies apart.
func (b *binding) pack(j job, arena *tensor.Arena, pool *tensor.Pool) {
	switch j.as {
	case asTaps:
		var scratch tensor.Arena
		defer scratch.Free()
		j.parts = []tensor.Tensor{tensor.Taps(&scratch, j.parts[0])}
	case asWinograd:
		j.dst.W = tensor.PackWinograd(arena, pool, j.parts[0])
		return
	}
	packer, ok := b.src.(Packer)
	if !ok {
		j.dst.W = tensor.Pack(arena, pool, j.format, j.parts...)
		return
	}
	for i, t := range j.parts {
		w := packer.Pack(arena, pool, j.format, t)
		if i == 0 {
			j.dst.W = w
		} else {
			j.dst.More = append(j.dst.More, w)
		}
	}
}

func (j job) bytes() (n int64) {
	for _, t := range j.parts {
		if n += int64(len(t.Data)); t.Data == nil {
			n += int64(t.Elements() * t.Type.Size())
		}
	}
	return n
}
