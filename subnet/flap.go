package subnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// Fluctuations are the statistics of what goes into the projections back to the residual stream, by
// which heads and neurons are ranked.
type Fluctuations struct {
	Windows int       // seen
	Layers  []Moments // of each layer
}

// Moments are those of one layer, for each channel.
type Moments struct {
	Attention, MLP Moment // of the inputs of o_proj and of down_proj
}

// Moment is a running mean b, and a running measure f of how far inputs are from it:
//
//	b ← b·k/(k+1) + mean_t(X)/(k+1)
//	f ← f·(k-1)/k + Σ_t (X_t - b)²/(k+1)
//
// for window k = 0, 1, ... of tokens t, with the b of before on neither side; f stays 0 in the first.
//
// Source: An et al. 2023, arXiv:2312.11983; width_shrink/prune.py:348 in GATECH-EIC/AmoebaLLM@abb8f7e,
// whose oddities are kept: the new mean on both sides, a first window that only the mean sees, and no
// division by the number of tokens.
type Moment struct {
	Mean, Fluctuation []float64 // [channels]; nil before the first window
}

// add takes in window k, the inputs [T, channels].
func (m *Moment) add(k int, x tensor.Mat) {
	if m.Mean == nil {
		m.Mean, m.Fluctuation = make([]float64, x.Cols), make([]float64, x.Cols)
	}
	sum := make([]float64, x.Cols)
	for t := range x.Rows {
		for j, v := range x.Row(t) {
			sum[j] += float64(v)
		}
	}
	n, kf := float64(k+1), float64(k)
	for j := range sum {
		m.Mean[j] = m.Mean[j]*kf/n + sum[j]/float64(x.Rows)/n
	}
	if k == 0 {
		return
	}
	clear(sum)
	for t := range x.Rows {
		for j, v := range x.Row(t) {
			d := float64(v) - m.Mean[j]
			sum[j] += d * d
		}
	}
	for j := range sum {
		m.Fluctuation[j] = m.Fluctuation[j]*(kf-1)/kf + sum[j]/n
	}
}

// Calibrate adds the windows of a text that are not in the statistics yet: the first Windows are. After
// is called after each; its error, or the end of ctx, ends the work, which another call continues.
func (s *Selector) Calibrate(ctx context.Context, f *Fluctuations, windows [][]int32, after func() error) error {
	if s.blind != nil {
		return fmt.Errorf("subnet: widths: %w", s.blind)
	}
	if f.Layers == nil {
		f.Layers = make([]Moments, s.Layers())
	}
	if len(f.Layers) != s.Layers() || f.Windows > len(windows) {
		return fmt.Errorf("subnet: widths: found statistics of %d layers and %d windows, expected %d and at most %d", len(f.Layers), f.Windows, s.Layers(), len(windows))
	}
	for f.Windows < len(windows) {
		if err := s.calibrate(ctx, f, windows[f.Windows]); err != nil {
			return err
		}
		f.Windows++
		if err := after(); err != nil {
			return err
		}
	}
	return nil
}

// calibrate adds one window, or nothing.
func (s *Selector) calibrate(ctx context.Context, f *Fluctuations, ids []int32) error {
	streams, err := s.model.NewStreams([][]int32{ids}, &s.ws)
	if err != nil {
		return fmt.Errorf("subnet: widths: window %d: %w", f.Windows, err)
	}
	inputs := make([]struct{ attention, mlp tensor.Mat }, s.Layers())
	s.watch = func(layer int, mlp bool, x tensor.Mat) {
		of := &inputs[layer].attention
		if mlp {
			of = &inputs[layer].mlp
		}
		*of = tensor.NewMat(x.Rows, x.Cols)
		for t := range x.Rows {
			copy(of.Row(t), x.Row(t))
		}
	}
	defer func() { s.watch = nil }()
	for l := range s.Layers() {
		if err := ctx.Err(); err != nil {
			return err
		}
		streams.Apply(l, &s.ws)
	}
	s.ws.Pool.Run(s.Layers(), adding{f, func(l int) (attention, mlp tensor.Mat) { return inputs[l].attention, inputs[l].mlp }})
	return nil
}

// adding is the task of adding a window to the statistics.
type adding struct {
	f      *Fluctuations
	inputs func(layer int) (attention, mlp tensor.Mat)
}

// Do adds it to those of one layer.
func (a adding) Do(l int) {
	attention, mlp := a.inputs(l)
	a.f.Layers[l].Attention.add(a.f.Windows, attention)
	a.f.Layers[l].MLP.add(a.f.Windows, mlp)
}

// Tensors returns the statistics as float64 tensors of a checkpoint.
func (f *Fluctuations) Tensors() (tensors []tensor.Tensor) {
	for l, m := range f.Layers {
		for _, v := range []struct {
			name string
			of   []float64
		}{
			{"self_attn.mean", m.Attention.Mean}, {"self_attn.fluctuation", m.Attention.Fluctuation},
			{"mlp.mean", m.MLP.Mean}, {"mlp.fluctuation", m.MLP.Fluctuation},
		} {
			tensors = append(tensors, tensor.Tensor{
				Name: fmt.Sprintf("layers.%d.%s", l, v.name), Type: tensor.F64, Shape: []int{len(v.of)}, Data: doubles(v.of),
			})
		}
	}
	return tensors
}

// ReadFluctuations returns statistics of a number of layers and windows from what Tensors returned.
func ReadFluctuations(ck interface {
	Tensor(name string) (tensor.Tensor, bool)
}, layers, windows int) (*Fluctuations, error) {
	f := &Fluctuations{Windows: windows, Layers: make([]Moments, layers)}
	for l := range f.Layers {
		for _, v := range []struct {
			name string
			of   *[]float64
		}{
			{"self_attn.mean", &f.Layers[l].Attention.Mean}, {"self_attn.fluctuation", &f.Layers[l].Attention.Fluctuation},
			{"mlp.mean", &f.Layers[l].MLP.Mean}, {"mlp.fluctuation", &f.Layers[l].MLP.Fluctuation},
		} {
			name := fmt.Sprintf("layers.%d.%s", l, v.name)
			t, ok := ck.Tensor(name)
			if !ok || t.Type != tensor.F64 || len(t.Shape) != 1 {
				return nil, fmt.Errorf("subnet: statistics: %s: found %v, expected float64 numbers", name, t)
			}
			*v.of = fromDoubles(t.Data)
		}
		if m := f.Layers[l]; len(m.Attention.Mean) != len(m.Attention.Fluctuation) || len(m.MLP.Mean) != len(m.MLP.Fluctuation) {
			return nil, errors.New("subnet: statistics: found means and fluctuations of different channels")
		}
	}
	return f, nil
}

// weightsOf returns what reads a projection of the base, row by row.
func weightsOf(ck models.Checkpoint, layer int, name string, cols int) (tensor.Tensor, error) {
	full := fmt.Sprintf("model.layers.%d.%s.weight", layer, name)
	t, ok := ck.Tensor(full)
	if !ok || len(t.Shape) != 2 || t.Shape[1] != cols {
		return t, fmt.Errorf("subnet: widths: %s: found %v, expected a matrix of %d columns", full, t, cols)
	}
	return t, nil
}
