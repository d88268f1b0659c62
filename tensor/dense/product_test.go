package dense

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	gorgonia "gorgonia.org/tensor"

	"github.com/mminfer/mminfer/tensor"
)

// blank returns a tensor of NaN, which no product may read.
func blank(e gorgonia.Engine, opts []gorgonia.ConsOpt, shape ...int) *gorgonia.Dense {
	d := gorgonia.New(append([]gorgonia.ConsOpt{gorgonia.WithShape(shape...), gorgonia.Of(gorgonia.Float32), gorgonia.WithEngine(e)}, opts...)...)
	for i := range d.Float32s() {
		d.Set(i, float32(math.NaN()))
	}
	return d
}

// cut slices a tensor.
func cut(t testing.TB, d *gorgonia.Dense, slices ...gorgonia.Slice) *gorgonia.Dense {
	return must[gorgonia.View](t)(d.Slice(slices...)).(*gorgonia.Dense)
}

func turn(t testing.TB, d *gorgonia.Dense) *gorgonia.Dense {
	if err := d.T(); err != nil {
		t.Fatal(err)
	}
	return d
}

// layouts are the ways in which a matrix [m, n], m and n at least 2, can lie in a tensor.
var layouts = map[string]func(t testing.TB, e gorgonia.Engine, m, n int) *gorgonia.Dense{
	"row-major": func(_ testing.TB, e gorgonia.Engine, m, n int) *gorgonia.Dense { return blank(e, nil, m, n) },
	"rows": func(t testing.TB, e gorgonia.Engine, m, n int) *gorgonia.Dense {
		return cut(t, blank(e, nil, m+3, n), gorgonia.S(1, m+1))
	},
	"columns": func(t testing.TB, e gorgonia.Engine, m, n int) *gorgonia.Dense {
		return cut(t, blank(e, nil, m, n+4), nil, gorgonia.S(3, n+3))
	},
	"T": func(t testing.TB, e gorgonia.Engine, m, n int) *gorgonia.Dense { return turn(t, blank(e, nil, n, m)) },
	"T of columns": func(t testing.TB, e gorgonia.Engine, m, n int) *gorgonia.Dense {
		return turn(t, cut(t, blank(e, nil, n, m+2), nil, gorgonia.S(1, m+1)))
	},
	"rows of T": func(t testing.TB, e gorgonia.Engine, m, n int) *gorgonia.Dense {
		return cut(t, turn(t, blank(e, nil, n, m+2)), gorgonia.S(1, m+1), nil)
	},
	"column-major": func(_ testing.TB, e gorgonia.Engine, m, n int) *gorgonia.Dense {
		return blank(e, []gorgonia.ConsOpt{gorgonia.AsFortran(nil)}, m, n)
	},
	"rows of column-major": func(t testing.TB, e gorgonia.Engine, m, n int) *gorgonia.Dense {
		return cut(t, blank(e, []gorgonia.ConsOpt{gorgonia.AsFortran(nil)}, m+5, n), gorgonia.S(2, m+2), nil)
	},
	"T of column-major": func(t testing.TB, e gorgonia.Engine, m, n int) *gorgonia.Dense {
		return turn(t, blank(e, []gorgonia.ConsOpt{gorgonia.AsFortran(nil)}, n, m))
	},
	"steps": func(t testing.TB, e gorgonia.Engine, m, n int) *gorgonia.Dense {
		return cut(t, blank(e, nil, 2*m, 3*n), gorgonia.S(0, 2*m, 2), gorgonia.S(1, 3*n, 3))
	},
}

// fill sets the elements of a matrix or vector through gorgonia.
func fill(t testing.TB, d *gorgonia.Dense, values []float32) *gorgonia.Dense {
	t.Helper()
	for i, v := range values {
		coords := []int{i}
		if d.Dims() == 2 {
			coords = []int{i / d.Shape()[1], i % d.Shape()[1]}
		}
		if err := d.SetAt(v, coords...); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// reference multiplies [m, k] by [k, n] in float64 and bounds the error of a product in float32:
// every term passes one rounding for each later term of its run, one for each later run.
func reference(a, b []float32, m, k, n int) (want, bound []float64) {
	for i := range m {
		for j := range n {
			var sum, abs float64
			for c := range k {
				p := float64(a[i*k+c]) * float64(b[c*n+j])
				sum, abs = sum+p, abs+math.Abs(p)
			}
			want, bound = append(want, sum), append(bound, float64(min(k, 256)+k/256+2)*0x1p-24*abs)
		}
	}
	return want, bound
}

// check compares a result with the reference, and bit for bit with an earlier one.
func check(t *testing.T, name string, got *gorgonia.Dense, want, bound []float64, first []float32) []float32 {
	t.Helper()
	var all []float32
	for i := range want {
		coords := []int{i}
		if got.Dims() == 2 {
			coords = []int{i / got.Shape()[1], i % got.Shape()[1]}
		}
		v := at(t, got, coords...)
		if err := math.Abs(float64(v) - want[i]); !(err <= bound[i]) {
			t.Fatalf("%s: %v = %v, want %v within %v", name, coords, v, want[i], bound[i])
		}
		if first != nil && math.Float32bits(v) != math.Float32bits(first[i]) {
			t.Fatalf("%s: %v = %v, but %v before", name, coords, v, first[i])
		}
		all = append(all, v)
	}
	return all
}

func TestMatMul(t *testing.T) {
	pool := tensor.NewPool(3)
	defer pool.Close()
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range [][3]int{{2, 2, 2}, {5, 3, 17}, {17, 40, 33}, {2, 600, 3}, {200, 20, 90}, {90, 33, 300}} {
		m, k, n := s[0], s[1], s[2]
		x, y := normals(r, m*k), normals(r, k*n)
		want, bound := reference(x, y, m, k, n)
		var first []float32
		for _, e := range []*Engine{{}, {Pool: pool}} {
			for _, la := range slices.Insert(keys(layouts), 0, "row-major") {
				for _, lb := range slices.Insert(keys(layouts), 0, "row-major") {
					if first != nil && m*k*n > serial && la != lb && la != "T" && lb != "columns" {
						continue // small sizes meet all pairs
					}
					a, b := fill(t, layouts[la](t, e, m, k), x), fill(t, layouts[lb](t, e, k, n), y)
					name := fmt.Sprintf("%v: %s by %s", s, la, lb)
					got, err := a.MatMul(b)
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					all := check(t, name, got, want, bound, first)
					if first == nil {
						first = all
					}
				}
			}
			for lc, layout := range layouts {
				dst := layout(t, e, m, n)
				a, b := fill(t, blank(e, nil, m, k), x), fill(t, blank(e, nil, k, n), y)
				before := slices.Clone(dst.Float32s())
				if err := e.MatMul(a, b, dst); err != nil {
					if lc == "steps" && strings.Contains(err.Error(), "view") {
						continue
					}
					t.Fatalf("%v into %s: %v", s, lc, err)
				}
				check(t, fmt.Sprintf("%v into %s", s, lc), dst, want, bound, first)
				if changed := changes(before, dst.Float32s()); changed != m*n {
					t.Errorf("%v into %s: %d elements written", s, lc, changed)
				}
			}
		}
	}
}

// changes counts the elements that differ.
func changes(a, b []float32) (n int) {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			n++
		}
	}
	return n
}

func keys[V any](m map[string]V) (names []string) {
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// TestVectors multiplies matrices and vectors of any layout.
func TestVectors(t *testing.T) {
	pool := tensor.NewPool(2)
	defer pool.Close()
	r := rand.New(rand.NewPCG(3, 4))
	for _, e := range []*Engine{{}, {Pool: pool}} {
		vectors := map[string]func(n int) *gorgonia.Dense{
			"vector": func(n int) *gorgonia.Dense { return blank(e, nil, n) },
			"row":    func(n int) *gorgonia.Dense { return blank(e, nil, 1, n) },
			"column": func(n int) *gorgonia.Dense { return blank(e, nil, n, 1) },
			"column-major row": func(n int) *gorgonia.Dense {
				return blank(e, []gorgonia.ConsOpt{gorgonia.AsFortran(nil)}, 1, n)
			},
			"column of a matrix": func(n int) *gorgonia.Dense { return cut(t, blank(e, nil, n, 3), nil, gorgonia.S(1)) },
			"row of a matrix":    func(n int) *gorgonia.Dense { return cut(t, blank(e, nil, 3, n), gorgonia.S(2)) },
		}
		for _, s := range [][2]int{{2, 2}, {40, 7}, {3, 700}, {500, 260}} {
			m, k := s[0], s[1]
			x, y, z := normals(r, m*k), normals(r, k), normals(r, m)
			want, bound := reference(x, y, m, k, 1)
			turnedWant, turnedBound := reference(z, x, 1, m, k)
			outerWant, outerBound := reference(z, y, m, 1, k)
			innerWant, innerBound := reference(y, y, 1, k, 1)
			var first, turnedFirst []float32
			for vn, vector := range vectors {
				v := fill(t, vector(k), y)
				for ln, layout := range layouts {
					name := fmt.Sprintf("%v: %s by %s", s, ln, vn)
					a := fill(t, layout(t, e, m, k), x)
					got, err := a.MatVecMul(v)
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					first = check(t, name, got, want, bound, first)
					dot, err := gorgonia.Dot(fill(t, vector(m), z), a)
					if err != nil {
						t.Fatalf("%s by %s: %v", vn, ln, err)
					}
					turnedFirst = check(t, name+" turned", dot.(*gorgonia.Dense), turnedWant, turnedBound, turnedFirst)
				}
				outer := blank(e, nil, m, k)
				if err := e.Outer(fill(t, vector(m), z), v, outer); err != nil {
					t.Fatalf("outer with %s: %v", vn, err)
				}
				check(t, "outer with "+vn, outer, outerWant, outerBound, nil)
				inner, err := e.Inner(v, fill(t, blank(e, nil, k), y))
				if err != nil || !(math.Abs(float64(inner.(float32))-innerWant[0]) <= innerBound[0]) {
					t.Errorf("inner with %s: %v, %v, want %v", vn, inner, err, innerWant[0])
				}
				dot, err := gorgonia.Dot(v, v)
				if err != nil || dot.ScalarValue() != inner {
					t.Errorf("dot of %s: %v, %v, want %v", vn, dot, err, inner)
				}
			}
		}
	}
}

// TestGorgoniaIsWrong is why the engine exists: the same products of the same views, by StdEng.
// If StdEng gets them right one day, the package comment must say so.
func TestGorgoniaIsWrong(t *testing.T) {
	ours := map[string]float32{}
	for _, e := range []gorgonia.Engine{new(Engine), gorgonia.StdEng{}} {
		wide := gorgonia.New(gorgonia.WithShape(2, 4), gorgonia.WithEngine(e), gorgonia.WithBacking([]float32{1, 2, 0, 0, 3, 4, 0, 0}))
		left := cut(t, wide, nil, gorgonia.S(0, 2)) // 1 2 / 3 4
		first := cut(t, wide, nil, gorgonia.S(0))   // 1 3
		ones := gorgonia.New(gorgonia.WithShape(2, 2), gorgonia.WithEngine(e), gorgonia.WithBacking([]float32{1, 1, 1, 1}))
		one := gorgonia.New(gorgonia.WithShape(2), gorgonia.WithEngine(e), gorgonia.WithBacking([]float32{1, 1}))
		product := must[*gorgonia.Dense](t)(left.MatMul(ones))
		byVector := must[*gorgonia.Dense](t)(left.MatVecMul(one))
		ofColumn := must[*gorgonia.Dense](t)(ones.MatVecMul(first))
		softmax := must[gorgonia.Tensor](t)(gorgonia.SoftMax(left, 0))
		for name, c := range map[string]struct{ got, want float32 }{
			"MatMul":                {at(t, product, 1, 0), 7},
			"MatVecMul":             {at(t, byVector, 1), 7},
			"MatVecMul of a column": {at(t, ofColumn, 0), 4},
			"SoftMax":               {at(t, softmax, 1, 0), float32(1 / (1 + math.Exp(-2)))},
		} {
			near := math.Abs(float64(c.got-c.want)) <= 1e-6
			if _, ok := e.(*Engine); ok != near {
				t.Errorf("%T: %s of a view is %v, right is %v", e, name, c.got, c.want)
			}
			ours[name] = c.got
		}
	}
}

// TestOverlappingRows multiplies matrices that show elements more than once.
func TestOverlappingRows(t *testing.T) {
	e, x := new(Engine), normals(rand.New(rand.NewPCG(9, 9)), 90)
	for _, strides := range [][]int{{0, 1}, {1, 0}, {1, 1}, {2, 1}, {0, 0}} {
		a := must[*gorgonia.Dense](t)(e.FromSlice(x, 90))
		*a.Info() = gorgonia.MakeAP(gorgonia.Shape{20, 20}, strides, gorgonia.NonContiguous, gorgonia.NotTriangle)
		var values []float32
		for i := range 400 {
			values = append(values, x[i/20*strides[0]+i%20*strides[1]])
		}
		want, bound := reference(values, values, 20, 20, 20)
		check(t, fmt.Sprint(strides), must[*gorgonia.Dense](t)(a.MatMul(a)), want, bound, nil)
	}
}

// TestOrientation: vectors and turned matrices are multiplied where they lie.
func TestOrientation(t *testing.T) {
	column, matrix := view{nil, 64, 1, 3, 9}.normal(), view{nil, 64, 64, 70, 1}
	row := view{nil, 1, 64, 9, 1}.normal()
	for name, c := range map[string]struct {
		p    product
		want int
	}{
		"matrix by column":        {product{dst: column, a: matrix, b: column}, 64 * 16},
		"turned matrix by column": {product{dst: column, a: matrix.t(), b: column}, 64*16 + 64*64},
		"the same turned":         {product{dst: row, a: column.t(), b: matrix}, 0},
		"into a loose row":        {product{dst: column.t(), a: column.t(), b: matrix}, math.MaxInt},
		"row by turned matrix":    {product{dst: row.t(), a: matrix, b: row.t()}, 64 * 16},
		"outer":                   {product{dst: matrix, a: column, b: row}, 64},
	} {
		if got := c.p.cost(); got != c.want {
			t.Errorf("%s packs %d elements, want %d", name, got, c.want)
		}
	}
}

// TestReuse gives results a place: an operand's own, or a sum's.
func TestReuse(t *testing.T) {
	e, r := new(Engine), rand.New(rand.NewPCG(5, 6))
	x, y := normals(r, 40*40), normals(r, 40*40)
	want, bound := reference(x, y, 40, 40, 40)
	for _, reuse := range []int{0, 1} {
		for _, layout := range []string{"row-major", "column-major"} {
			operands := []*gorgonia.Dense{fill(t, layouts[layout](t, e, 40, 40), x), fill(t, layouts[layout](t, e, 40, 40), y)}
			got, err := operands[0].MatMul(operands[1], gorgonia.WithReuse(operands[reuse]))
			if err != nil || got != operands[reuse] {
				t.Fatalf("%s, reuse of operand %d: %v", layout, reuse, err)
			}
			check(t, fmt.Sprintf("%s, reuse of operand %d", layout, reuse), got, want, bound, nil)
		}
	}
	a, b := fill(t, blank(e, nil, 40, 40), x), fill(t, blank(e, nil, 40, 40), y)
	sum := fill(t, blank(e, nil, 40, 40), slices.Repeat([]float32{1}, 40*40))
	got, err := a.MatMul(b, gorgonia.WithIncr(sum))
	if err != nil || got != sum {
		t.Fatal(err)
	}
	for i := range want {
		want[i]++
		bound[i] += 0x1p-24 * (math.Abs(want[i]) + bound[i])
	}
	check(t, "incr", got, want, bound, nil)
	// Gorgonia has forgotten how this view lies when the engine sees it.
	if _, err := a.MatMul(b, gorgonia.WithReuse(cut(t, blank(e, nil, 40, 50), nil, gorgonia.S(0, 40)))); err == nil {
		t.Error("a view was accepted for the result")
	}
}

// TestOtherTypes go to StdEng, and so does everything else.
func TestOtherTypes(t *testing.T) {
	e := new(Engine)
	a := gorgonia.New(gorgonia.WithShape(2, 2), gorgonia.WithEngine(e), gorgonia.WithBacking([]float64{1, 2, 3, 4}))
	v := gorgonia.New(gorgonia.WithShape(2), gorgonia.WithEngine(e), gorgonia.WithBacking([]float64{5, 6}))
	for name, f := range map[string]func() (any, error){
		"[19 22 43 50]": func() (any, error) {
			b := gorgonia.New(gorgonia.WithShape(2, 2), gorgonia.WithBacking([]float64{5, 6, 7, 8}))
			p, err := a.MatMul(b)
			return p.Float64s(), err
		},
		"[17 39]":       func() (any, error) { p, err := a.MatVecMul(v); return p.Float64s(), err },
		"[25 30 30 36]": func() (any, error) { p, err := v.Outer(v); return p.Float64s(), err },
		"61":            func() (any, error) { return v.Inner(v) },
		"(61)":          func() (any, error) { p, err := gorgonia.Dot(v, v); return fmt.Sprintf("(%v)", p), err },
		"[0.5 0.5]": func() (any, error) {
			p, err := gorgonia.SoftMax(gorgonia.New(gorgonia.WithEngine(e), gorgonia.WithBacking([]float64{2, 2})), 0)
			return p.Data(), err
		},
		"[0]": func() (any, error) {
			p, err := gorgonia.LogSoftMax(gorgonia.New(gorgonia.WithEngine(e), gorgonia.WithShape(1), gorgonia.WithBacking([]float64{2})), 0)
			return p.Data(), err
		},
		"[2 4 6 8]": func() (any, error) { p, err := a.Add(a); return p.Float64s(), err },
	} {
		if got, err := f(); err != nil || fmt.Sprint(got) != name {
			t.Errorf("%v, %v, want %s", got, err, name)
		}
	}
}

func TestProductErrors(t *testing.T) {
	e := new(Engine)
	f := func(shape ...int) *gorgonia.Dense { return blank(e, nil, shape...) }
	lost := turn(t, must[*gorgonia.Dense](t)(e.FromMat(tensor.NewMat(3, 4).Columns(1, 2))))
	short := f(2, 3)
	*short.Info() = gorgonia.MakeAP(gorgonia.Shape{2, 3}, []int{4, 1}, 0, 0)
	inner := func(a, b gorgonia.Tensor) error { _, err := e.Inner(a, b); return err }
	dot := func(a, b gorgonia.Tensor) error { _, err := e.Dot(a, b); return err }
	for name, err := range map[string]error{
		"inner sizes":       e.MatMul(f(2, 3), f(4, 2), f(2, 2)),
		"result rows":       e.MatMul(f(2, 3), f(3, 2), f(3, 2)),
		"result columns":    e.MatMul(f(2, 3), f(3, 2), f(2, 3)),
		"vector as matrix":  e.MatMul(f(6), f(6, 1), f(1, 1)),
		"matrix as vector":  e.MatVecMul(f(2, 4), f(2, 2), f(2)),
		"three axes":        e.MatVecMul(f(2, 4), f(1, 4, 1), f(2)),
		"vector too long":   e.MatVecMul(f(2, 3), f(4), f(2)),
		"result too short":  e.MatVecMul(f(2, 3), f(3), f(1)),
		"outer result":      e.Outer(f(2), f(3), f(3, 2)),
		"inner lengths":     inner(f(2), f(3)),
		"dot lengths":       dot(f(2), f(3)),
		"empty":             e.MatMul(f(0, 3), f(3, 2), f(0, 2)),
		"lost stride":       e.MatMul(lost, f(3, 2), f(1, 2)),
		"strides too large": e.MatMul(short, f(3, 2), f(2, 2)),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "dense: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestConcurrentUse shares an engine and its operands among goroutines.
func TestConcurrentUse(t *testing.T) {
	pool := tensor.NewPool(2)
	defer pool.Close()
	e, r := &Engine{Pool: pool}, rand.New(rand.NewPCG(7, 8))
	x, y := normals(r, 70*50), normals(r, 50*60)
	a, b := fill(t, layouts["columns"](t, e, 70, 50), x), fill(t, layouts["T"](t, e, 50, 60), y)
	want, bound := reference(x, y, 70, 50, 60)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				got, err := a.MatMul(b)
				if err != nil {
					t.Error(err)
					return
				}
				for i, v := range got.Float32s() {
					if !(math.Abs(float64(v)-want[i]) <= bound[i]) {
						t.Errorf("element %d = %v, want %v", i, v, want[i])
						return
					}
				}
				if _, err := gorgonia.SoftMax(a, 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestProductAllocatesNothing(t *testing.T) {
	ws := new(tensor.Workspace)
	a, b, c := tensor.NewMat(40, 300), tensor.NewMat(300, 50), tensor.NewMat(40, 50)
	square := func(m tensor.Mat) view { return view{m.Data, m.Rows, m.Cols, m.Stride, 1} }
	use := func() { multiply(ws, square(c), square(a), square(b), true) }
	use()
	if n := testing.AllocsPerRun(20, use); n != 0 {
		t.Errorf("%v allocations in the steady state", n)
	}
}
