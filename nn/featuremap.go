package nn

import (
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// MapKind is a kind of feature map.
type MapKind uint8

// The feature maps φ of a vector y of K entries.
const (
	MapActivation MapKind = iota // an activation
	MapT2R                       // relu(W·y)
	MapHedgehog                  // softmax of the 2K entries [2u, -2u], u = W·y + b
	MapProduct                   // (W1·y + b1)·(W2·y + b2)
	MapDPFP                      // c·roll(c, j) for j = 1 to 4, c = [relu(y), relu(-y)]: 8K entries
)

// dpfpRolls is the number of rolls of a deterministic parameter-free projection.
const dpfpRolls = 4

// FeatureMap makes queries or keys the features that a linear attention multiplies. A nil
// *FeatureMap is the identity.
//
// Sources: Kasai et al. 2021, arXiv:2103.13076 (T2R); Zhang et al. 2024, arXiv:2402.04347
// (hedgehog); Schlag et al. 2021, arXiv:2102.11174 (DPFP); fla/modules/feature_map.py in
// fla-org/flash-linear-attention 0.6.0.
type FeatureMap struct {
	Kind MapKind
	Act  Activation // of MapActivation
	Proj *Linear    // [K, K], or W1 above W2 [2K, K]; nil if nothing is learned
	Bias []float32  // of Proj's rows, nil for none
}

// width is the number of features of k entries.
func (f *FeatureMap) width(k int) int {
	switch {
	case f == nil:
		return k
	case f.Kind == MapHedgehog:
		return 2 * k
	case f.Kind == MapDPFP:
		return 2 * k * dpfpRolls
	}
	return k
}

// inner is the number of columns of a head that apply takes.
func (f *FeatureMap) inner(k int) int {
	if f != nil && f.Kind == MapProduct {
		return 2 * k
	}
	return k
}

// project returns the learned products of every head of x, [T, H·K].
func (f *FeatureMap) project(x tensor.Mat, k int, ws *tensor.Workspace) tensor.Mat {
	if f == nil || f.Proj == nil || x.Rows == 0 {
		return x
	}
	heads, n := x.Cols/k, f.Proj.W.Rows
	y := ws.Mat(x.Rows, heads*n)
	work := tensor.Local[mapWork](ws)
	work.products = work.products[:0]
	for h := range heads {
		work.products = append(work.products, tensor.Product{Dst: headOf(y, h, n), X: headOf(x, h, k), W: f.Proj.W})
	}
	tensor.MatMulAll(ws, work.products)
	return y
}

// mapWork is the list of a projection's products.
type mapWork struct{ products []tensor.Product }

// scratch is the floats that apply needs beside its output, of a token.
func (f *FeatureMap) scratch(k int) int {
	switch {
	case f == nil:
		return 0
	case f.Kind == MapProduct:
		return k
	case f.Kind == MapDPFP:
		return 2 * k
	}
	return 0
}

// apply computes the features dst [n, F] of one head from its rows x [n, inner].
func (f *FeatureMap) apply(dst []float32, x tensor.Mat, scratch []float32) {
	if f == nil {
		(*ShortConv)(nil).run(dst, x, 0, nil)
		return
	}
	for i := range x.Rows {
		n := f.width(x.Cols)
		if f.Kind == MapProduct {
			n = x.Cols / 2
		}
		f.row(dst[i*n:(i+1)*n], x.Row(i), scratch)
	}
}

// row computes the features of one token.
func (f *FeatureMap) row(dst, x, scratch []float32) {
	k := len(x)
	switch f.Kind {
	case MapActivation:
		copy(dst, x)
		f.Act.Apply(dst)
	case MapT2R:
		copy(dst, x)
		vec.ReLU(dst, dst)
	case MapHedgehog:
		vec.Add(dst[:k], x, f.Bias)
		vec.Scale(dst[k:], -1, dst[:k])
		sum := vec.ExpSum(dst, dst, 2, 2*vec.Max(dst))
		vec.Scale(dst, 1/sum, dst)
	case MapProduct:
		n := k / 2
		vec.Add(dst, x[:n], f.Bias[:n])
		vec.Add(scratch[:n], x[n:], f.Bias[n:])
		vec.Mul(dst, dst, scratch[:n])
	case MapDPFP:
		c := scratch[:2*k]
		copy(c, x)
		vec.Scale(c[k:], -1, x)
		vec.ReLU(c, c)
		for j := 1; j <= dpfpRolls; j++ {
			d := dst[(j-1)*2*k : j*2*k]
			copy(d[j%(2*k):], c)
			copy(d, c[2*k-j%(2*k):])
			vec.Mul(d, d, c)
		}
	}
}

// Features returns φ of every head of x [T, H·k], in a matrix of the workspace.
func (f *FeatureMap) Features(x tensor.Mat, k int, ws *tensor.Workspace) tensor.Mat {
	heads, n := x.Cols/k, f.width(k)
	y := ws.Mat(x.Rows, heads*n)
	u, one, scratch := f.project(x, k, ws), ws.Floats(x.Rows*n), ws.Floats(f.scratch(k))
	for h := range heads {
		f.apply(one, headOf(u, h, f.inner(k)), scratch)
		for i := range x.Rows {
			copy(headOf(y, h, n).Row(i), one[i*n:(i+1)*n])
		}
	}
	return y
}
