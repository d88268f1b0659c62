package dense

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gorgonia "gorgonia.org/tensor"

	"github.com/mminfer/mminfer/tensor"
)

// reference64 is the softmax of a line in float64 and its logarithm, with bounds on the errors of
// float32: an exponential takes the rounding of its argument and 1.5 units in the last place, the
// sum one rounding for each sixteenth element and the tree, then one each for 1/sum and the product.
func reference64(x []float32) (p, pBound, l, lBound []float64) {
	m := float64(slices.Max(x))
	var sum, sumErr float64
	errs := make([]float64, len(x))
	for i, v := range x {
		d := m - float64(v)
		e := math.Exp(-d)
		errs[i] = d*0x1p-24 + 1.5*0x1p-23
		sum, sumErr = sum+e, sumErr+e*errs[i]
		p = append(p, e)
	}
	rel := sumErr/sum + float64(len(x)/16+5)*0x1p-24
	for i, v := range x {
		d := m - float64(v)
		p[i] /= sum
		pBound = append(pBound, p[i]*(errs[i]+rel+2*0x1p-24)*1.001+0x1p-148)
		l = append(l, -d-math.Log(sum))
		// x - m and the difference from the logarithm round once each; ln sum errs by 1.5 units.
		lBound = append(lBound, (d*0x1p-24+rel+math.Log(sum)*1.5*0x1p-23+math.Abs(l[i])*0x1p-24)*1.001)
	}
	return p, pBound, l, lBound
}

// coordinates calls f for every element of a shape.
func coordinates(shape []int, f func(at []int)) {
	for i := range gorgonia.Shape(shape).TotalSize() {
		at := make([]int, len(shape))
		for axis, n := range slices.Backward(shape) {
			at[axis], i = i%n, i/n
		}
		f(at)
	}
}

func TestSoftMax(t *testing.T) {
	pool := tensor.NewPool(3)
	defer pool.Close()
	r := rand.New(rand.NewPCG(1, 3))
	for _, e := range []*Engine{{}, {Pool: pool}} {
		inputs := map[string]*gorgonia.Dense{
			"vector":       blank(e, nil, 300),
			"single":       blank(e, nil, 1, 1),
			"four axes":    blank(e, nil, 2, 3, 4, 5),
			"large":        blank(e, nil, 33, 400),
			"column":       cut(t, blank(e, nil, 50, 3), nil, gorgonia.S(2)),
			"cut in three": cut(t, blank(e, nil, 5, 6, 7), gorgonia.S(1, 4), gorgonia.S(2, 5), gorgonia.S(0, 6)),
		}
		for name, layout := range layouts {
			inputs[name] = layout(t, e, 6, 19)
		}
		for name, x := range inputs {
			coordinates(x.Shape(), func(at []int) {
				if err := x.SetAt(float32(10*r.NormFloat64()), at...); err != nil {
					t.Fatal(err)
				}
			})
			for axis := range x.Dims() {
				testSoftMax(t, fmt.Sprintf("%s along %d", name, axis), x, axis)
			}
		}
	}
}

func testSoftMax(t *testing.T, name string, x *gorgonia.Dense, axis int) {
	t.Helper()
	p := must[gorgonia.Tensor](t)(gorgonia.SoftMax(x, axis))
	l := must[gorgonia.Tensor](t)(gorgonia.LogSoftMax(x, axis-x.Dims()))
	n := x.Shape()[axis]
	coordinates(x.Shape(), func(first []int) {
		if first[axis] != 0 {
			return
		}
		var line []float32
		for i := range n {
			first[axis] = i
			line = append(line, at(t, x, first...))
		}
		wantP, boundP, wantL, boundL := reference64(line)
		for i := range n {
			first[axis] = i
			if got := at(t, p, first...); !(math.Abs(float64(got)-wantP[i]) <= boundP[i]) {
				t.Fatalf("%s: %v = %v, want %v within %v", name, first, got, wantP[i], boundP[i])
			}
			if got := at(t, l, first...); !(math.Abs(float64(got)-wantL[i]) <= boundL[i]) {
				t.Fatalf("%s: log at %v = %v, want %v within %v", name, first, got, wantL[i], boundL[i])
			}
		}
	})
}

func TestSoftMaxOptions(t *testing.T) {
	e := new(Engine)
	x := must[*gorgonia.Dense](t)(e.FromSlice([]float32{1, 2, 3, 4}, 2, 2))
	want := must[gorgonia.Tensor](t)(gorgonia.SoftMax(x, 1)).Data().([]float32)
	other := blank(e, []gorgonia.ConsOpt{gorgonia.AsFortran(nil)}, 2, 2)
	got := must[gorgonia.Tensor](t)(gorgonia.SoftMax(x, 1, gorgonia.WithReuse(other)))
	if got != gorgonia.Tensor(other) || at(t, got, 0, 1) != want[1] || at(t, got, 1, 0) != want[2] {
		t.Errorf("reused: %v, want %v", got, want)
	}
	if got := must[gorgonia.Tensor](t)(gorgonia.SoftMax(x, 1, gorgonia.UseUnsafe())); got != gorgonia.Tensor(x) || !slices.Equal(x.Float32s(), want) {
		t.Errorf("in place: %v, want %v", x, want)
	}
	inf := float32(math.Inf(-1))
	masked := must[*gorgonia.Dense](t)(e.FromSlice([]float32{inf, 0, inf, 0}, 4))
	if got := must[gorgonia.Tensor](t)(gorgonia.SoftMax(masked, 0)).Data().([]float32); !slices.Equal(got, []float32{0, 0.5, 0, 0.5}) {
		t.Errorf("masked: %v", got)
	}
}

func TestSoftMaxErrors(t *testing.T) {
	e := new(Engine)
	x := blank(e, nil, 4, 4)
	f := func(x gorgonia.Tensor, axis int, opts ...gorgonia.FuncOpt) error {
		_, err := e.SoftMax(x, axis, opts...)
		return err
	}
	for name, err := range map[string]error{
		"axis too large":  f(x, 2),
		"axis too small":  f(x, -3),
		"scalar":          f(must[*gorgonia.Dense](t)(e.FromSlice([]float32{1})), 0),
		"empty":           f(blank(e, nil, 0, 3), 0),
		"sum":             f(x, 0, gorgonia.WithIncr(blank(e, nil, 4, 4))),
		"result's shape":  f(x, 0, gorgonia.WithReuse(blank(e, nil, 16))),
		"result's type":   f(x, 0, gorgonia.WithReuse(gorgonia.New(gorgonia.WithShape(4, 4), gorgonia.Of(gorgonia.Float64)))),
		"result overlaps": f(cut(t, x, nil, gorgonia.S(0, 3)), 0, gorgonia.WithReuse(cut(t, x, nil, gorgonia.S(1, 4)))),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "dense: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
