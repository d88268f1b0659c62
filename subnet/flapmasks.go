package subnet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// WidthOptions say how masks follow from statistics.
type WidthOptions struct {
	Ratios []float64 // budgets: the shares of heads and neurons to keep
	// Exact computes biases from the means as they are. The reference rounds them to float16.
	Exact bool
}

// Scores are the ranks of heads and neurons: higher ones are kept longer.
type Scores struct {
	Heads, Neurons [][]float64 // [L]; a head is one that has keys, with all queries that share it
	Weight         int         // of a head in neurons: what has about as many parameters
}

// geometry is what the heads of a model are.
type geometry struct{ heads, keyHeads, dim int }

// group is the channels of a unit of heads.
func (g geometry) group() int { return g.heads / g.keyHeads * g.dim }

// weight is the parameters of a unit of heads in those of a neuron, rounded down: (2·queries + 2)·dim
// rows or columns to its 3. The reference has 170 for heads of 128 alone.
func (g geometry) weight() int { return (2*g.heads/g.keyHeads + 2) * g.dim / 3 }

// geometryOf reads it from a configuration and the shape of the queries.
func geometryOf(ck models.Checkpoint, layers int) (geometry, error) {
	f, err := New(ck, nil, nil)
	if err != nil {
		return geometry{}, err
	}
	if f.Layers != layers {
		return geometry{}, fmt.Errorf("subnet: found %d layers, expected %d", layers, f.Layers)
	}
	return geometry{f.Heads, f.keyHeads, f.headDim}, nil
}

// Score ranks heads and neurons by fluctuation and weights: with f of a channel and n the sum of the
// squares of the weights it meets, (f·n)² of an attention's and f·n of an MLP's, made a z-score in each
// layer and, of heads, the mean over their channels.
//
// Source: width_shrink/prune.py in GATECH-EIC/AmoebaLLM@abb8f7e. The square of attentions is its own.
func (s *Selector) Score(ctx context.Context, f *Fluctuations) (*Scores, error) {
	if f.Windows < 2 || len(f.Layers) != s.Layers() {
		return nil, fmt.Errorf("subnet: widths: found statistics of %d windows and %d layers, expected at least 2 and %d: the first window gives means alone", f.Windows, len(f.Layers), s.Layers())
	}
	g, err := geometryOf(s.ck, s.Layers())
	if err != nil {
		return nil, err
	}
	scores := &Scores{Weight: g.weight()}
	for l, m := range f.Layers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		attention, err := s.importance(l, "self_attn.o_proj", m.Attention)
		if err != nil {
			return nil, err
		}
		for j, v := range attention {
			attention[j] = v * v
		}
		neurons, err := s.importance(l, "mlp.down_proj", m.MLP)
		if err != nil {
			return nil, err
		}
		standardise(attention)
		standardise(neurons)
		heads := make([]float64, g.keyHeads)
		for h := range heads {
			for _, z := range attention[h*g.group() : (h+1)*g.group()] {
				heads[h] += z
			}
			heads[h] /= float64(g.group())
		}
		scores.Heads, scores.Neurons = append(scores.Heads, heads), append(scores.Neurons, neurons)
	}
	return scores, nil
}

// importance is the fluctuation of each channel times the sum of its weights' squares.
func (s *Selector) importance(layer int, name string, m Moment) ([]float64, error) {
	w, err := weightsOf(s.ck, layer, name, len(m.Mean))
	if err != nil {
		return nil, err
	}
	v, row := make([]float64, len(m.Mean)), make([]float32, len(m.Mean))
	for r := range w.Shape[0] {
		w.Floats(row, r*len(row))
		for j, x := range row {
			v[j] += float64(x) * float64(x)
		}
	}
	for j := range v {
		v[j] *= m.Fluctuation[j]
	}
	return v, nil
}

// standardise makes z-scores: (x - mean) / deviation with n-1 degrees of freedom. Numbers that are all
// equal become 0.
func standardise(v []float64) {
	var mean, square float64
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		square += (x - mean) * (x - mean)
	}
	deviation := math.Sqrt(square / float64(len(v)-1))
	for j := range v {
		if v[j] -= mean; deviation > 0 {
			v[j] /= deviation
		}
	}
}

// Shuffle exchanges the scores of all heads, and those of all neurons: what a ranking is worth shows in
// comparison with one that knows nothing.
func (s *Scores) Shuffle(r *rand.Rand) {
	for _, of := range [][][]float64{s.Heads, s.Neurons} {
		all := slices.Concat(of...)
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, layer := range of {
			all = all[copy(layer, all):]
		}
	}
}

// Threshold returns the score above which units are kept for a ratio: that of the unit at which the
// weights of those before it, in descending order, and its own are nearest to the ratio's share of
// all. So this unit itself goes, at the ratio 1 the last of all, as in the reference.
func (s *Scores) Threshold(ratio float64) float64 {
	type unit struct {
		score  float64
		weight int
	}
	var units []unit
	total := 0
	for i, of := range [][][]float64{s.Heads, s.Neurons} {
		weight := [2]int{s.Weight, 1}[i]
		for _, layer := range of {
			for _, score := range layer {
				units = append(units, unit{score, weight})
				total += weight
			}
		}
	}
	slices.SortStableFunc(units, func(a, b unit) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	at, least, sum := 0, math.Inf(1), 0
	for i, u := range units {
		sum += u.weight
		if far := math.Abs(float64(sum) - ratio*float64(total)); far < least {
			at, least = i, far
		}
	}
	return units[at].score
}

// Widths returns masks and biases for ratios. A bias is what the dropped channels give on average: the
// projection of their means.
func (s *Selector) Widths(ctx context.Context, f *Fluctuations, opts WidthOptions) (*Strategy, error) {
	scores, err := s.Score(ctx, f)
	if err != nil {
		return nil, err
	}
	return s.WidthsOf(ctx, f, scores, opts)
}

// WidthsOf is [Selector.Widths] with scores of another making.
func (s *Selector) WidthsOf(ctx context.Context, f *Fluctuations, scores *Scores, opts WidthOptions) (*Strategy, error) {
	ratios := slices.Clone(opts.Ratios)
	slices.SortFunc(ratios, func(a, b float64) int { return int(math.Copysign(1, b-a)) })
	if ratios = slices.Compact(ratios); len(ratios) == 0 {
		return nil, errors.New("subnet: widths: found no ratio")
	}
	g, err := geometryOf(s.ck, s.Layers())
	if err != nil {
		return nil, err
	}
	strategy := &Strategy{Widths: ratios, Layers: make([]Masks, s.Layers())}
	if g.keyHeads < g.heads {
		strategy.Group = g.heads / g.keyHeads
	}
	for _, ratio := range ratios {
		if !(ratio > 0 && ratio <= 1) {
			return nil, fmt.Errorf("subnet: widths: found ratio %v, expected one in (0, 1]", ratio)
		}
		threshold := scores.Threshold(ratio)
		for l := range strategy.Layers {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			m := &strategy.Layers[l]
			attention, mlp := above(scores.Heads[l], threshold, g.group()), above(scores.Neurons[l], threshold, 1)
			out, err := s.compensation(l, "self_attn.o_proj", f.Layers[l].Attention.Mean, attention, opts.Exact)
			if err != nil {
				return nil, err
			}
			down, err := s.compensation(l, "mlp.down_proj", f.Layers[l].MLP.Mean, mlp, opts.Exact)
			if err != nil {
				return nil, err
			}
			m.Attention, m.MLP = append(m.Attention, attention), append(m.MLP, mlp)
			m.Out, m.Down = append(m.Out, out), append(m.Down, down)
		}
	}
	return strategy, nil
}

// above returns the mask, over size channels for each unit, of the units above a threshold.
func above(scores []float64, threshold float64, size int) []bool {
	mask := make([]bool, len(scores)*size)
	for i := range mask {
		mask[i] = scores[i/size] > threshold
	}
	return mask
}

// compensation is the projection of the means of the channels that a mask drops.
func (s *Selector) compensation(layer int, name string, mean []float64, mask []bool, exact bool) ([]float32, error) {
	w, err := weightsOf(s.ck, layer, name, len(mean))
	if err != nil {
		return nil, err
	}
	dropped := make([]float64, len(mean))
	for j, m := range mean {
		if !mask[j] {
			if dropped[j] = m; !exact {
				dropped[j] = half(m)
			}
		}
	}
	c := &compensating{w: w, mean: dropped, bias: make([]float32, w.Shape[0])}
	s.ws.Pool.Run((w.Shape[0]+rowsPerPart-1)/rowsPerPart, c)
	return c.bias, nil
}

// compensating is the task of projecting means.
type compensating struct {
	w    tensor.Tensor
	mean []float64
	bias []float32
}

// Do projects some rows.
func (c *compensating) Do(part int) {
	row := make([]float32, len(c.mean))
	for r := part * rowsPerPart; r < min((part+1)*rowsPerPart, len(c.bias)); r++ {
		c.w.Floats(row, r*len(row))
		var sum float64
		for j, m := range c.mean {
			sum += float64(row[j]) * m
		}
		c.bias[r] = float32(sum)
	}
}

// half rounds to float16, as float32 first.
func half(x float64) float64 {
	return float64(float16.Fromfloat32(float32(x)).Float32())
}
