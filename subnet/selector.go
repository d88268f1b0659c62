package subnet

import (
	"context"
	"fmt"
	"math"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// Selector measures a whole model to choose its subnets. It is for one goroutine. Close frees it.
type Selector struct {
	model *models.Model
	ck    models.Checkpoint
	ws    tensor.Workspace
	watch func(layer int, mlp bool, x tensor.Mat) // nil: nobody looks
	blind error                                   // why widths cannot be chosen
}

// NewSelector loads a model. Of one that is no transformer with gated MLPs only depths can be chosen.
func NewSelector(ck models.Checkpoint, opts models.Options) (*Selector, error) {
	s := &Selector{ck: ck, ws: tensor.Workspace{Pool: opts.Pool}}
	opts.Watch = func(layer int, mlp bool, x tensor.Mat) {
		if s.watch != nil {
			s.watch(layer, mlp, x)
		}
	}
	bind := opts
	bind.BindOnly = true
	if _, err := models.New(ck, bind); err != nil {
		opts.Watch, s.blind = nil, err
	}
	var err error
	if s.model, err = models.New(ck, opts); err != nil {
		return nil, err
	}
	return s, nil
}

// Close frees the model.
func (s *Selector) Close() { s.model.Close() }

// Layers returns the number of layers.
func (s *Selector) Layers() int { return s.model.Layers() }

// Judge returns what measures subsets of layers on a calibration. Streams at the entries of layers are
// kept in up to room bytes, from which the layers of candidates follow; candidates that begin with
// the same layers share those.
func (s *Selector) Judge(cal Calibration, room int64) (Judge, error) {
	p, err := newPlan(cal)
	if err != nil {
		return nil, err
	}
	j := &judge{Selector: s, plan: p}
	if j.start, err = s.model.NewStreams(p.seqs, &s.ws); err != nil {
		return nil, fmt.Errorf("subnet: calibration: %w", err)
	}
	each := 4 * int64(j.start.Rows()) * int64(s.model.Width)
	j.stride = int(max(1, (each*int64(s.Layers())+max(room, each)-1)/max(room, each)))
	return j, nil
}

// judge is the judge of a selector.
type judge struct {
	*Selector
	plan    *plan
	start   *models.Streams   // before the first layer
	stride  int               // layers between entries that are kept
	entries []*models.Streams // at layers 0, stride, 2·stride ...; as far as they were needed
	idle    []*models.Streams
}

// take returns a copy of streams.
func (j *judge) take(of *models.Streams) *models.Streams {
	if n := len(j.idle); n > 0 {
		s := j.idle[n-1]
		j.idle = j.idle[:n-1]
		s.CopyFrom(of)
		return s
	}
	return of.Clone()
}

// entry returns a copy of the streams of the whole model before a layer.
func (j *judge) entry(ctx context.Context, layer int) (*models.Streams, error) {
	if j.entries == nil {
		j.entries = []*models.Streams{j.start}
	}
	at := min(layer/j.stride, len(j.entries)-1)
	s := j.take(j.entries[at])
	for l := at * j.stride; l < layer; l++ {
		if err := ctx.Err(); err != nil {
			j.idle = append(j.idle, s)
			return nil, err
		}
		s.Apply(l, &j.ws)
		if l+1 == len(j.entries)*j.stride {
			j.entries = append(j.entries, s.Clone())
		}
	}
	return s, nil
}

// Judge measures candidates.
func (j *judge) Judge(ctx context.Context, from int, candidates [][]bool, done func(i int, metric float64) error) error {
	s, err := j.entry(ctx, from)
	if err != nil {
		return err
	}
	w := walk{judge: j, ctx: ctx, from: from, candidates: candidates, done: done}
	for i := range candidates {
		w.all = append(w.all, i)
	}
	return w.walk(s, from, w.all)
}

// walk is the walk down the tree that the candidates' layers make.
type walk struct {
	*judge
	ctx        context.Context
	from       int
	candidates [][]bool
	done       func(i int, metric float64) error
	all        []int
}

// walk measures some candidates, which are alike before a layer, from streams that it uses up.
func (w *walk) walk(s *models.Streams, layer int, which []int) error {
	defer func() { w.idle = append(w.idle, s) }()
	for l := layer; l < w.Layers(); l++ {
		var kept, left []int
		for _, i := range which {
			if w.candidates[i][l-w.from] {
				kept = append(kept, i)
			} else {
				left = append(left, i)
			}
		}
		if len(kept) == 0 {
			continue
		}
		if len(left) > 0 {
			if err := w.walk(w.take(s), l+1, left); err != nil {
				return err
			}
		}
		if err := w.ctx.Err(); err != nil {
			return err
		}
		s.Apply(l, &w.ws)
		which = kept
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	metric := w.plan.measure(s, &w.ws)
	for _, i := range which {
		if err := w.done(i, metric); err != nil {
			return err
		}
	}
	return nil
}

// Influence returns for each layer how much it turns the residual stream: the mean over tokens of
// 1 - cos(in, out). Removing those of the least influence is a choice that takes one pass.
//
// Source: Men et al. 2024, arXiv:2403.03853, block influence.
func (s *Selector) Influence(ctx context.Context, windows [][]int32) ([]float64, error) {
	influence, tokens := make([]float64, s.Layers()), 0
	for i, ids := range windows {
		in, err := s.model.NewStreams([][]int32{ids}, &s.ws)
		if err != nil {
			return nil, fmt.Errorf("subnet: influence: window %d: %w", i, err)
		}
		out := in.Clone()
		for l := range influence {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			out.Apply(l, &s.ws)
			for r := range in.Rows() {
				influence[l] += 1 - cosine(in.Row(r), out.Row(r))
			}
			in.CopyFrom(out)
		}
		tokens += len(ids)
	}
	for l := range influence {
		influence[l] /= float64(max(1, tokens))
	}
	return influence, nil
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(max(aa*bb, math.SmallestNonzeroFloat64))
}

// LeastInfluence returns the choices that remove the layers of least influence, but for the last few,
// until minLayers remain. Their metric is the influence removed.
func LeastInfluence(influence []float64, keepLast, minLayers int) (map[int]Depth, error) {
	d := DepthSearch{Layers: len(influence), KeepLast: keepLast, MinLayers: minLayers}
	if err := d.check(); err != nil {
		return nil, err
	}
	n, most := d.sizes()
	kept, sum, depths := make([]bool, len(influence)), 0.0, map[int]Depth{}
	for l := range kept {
		kept[l] = true
	}
	for m := 1; m <= min(n, most); m++ {
		least := -1
		for l := range n {
			if kept[l] && (least < 0 || influence[l] < influence[least]) {
				least = l
			}
		}
		kept[least] = false
		sum += influence[least]
		depths[m] = Depth{append([]bool(nil), kept...), sum}
	}
	return depths, nil
}

// Fingerprint identifies the model and the format in which it is measured.
func (s *Selector) Fingerprint() [32]byte { return s.model.Fingerprint() }
