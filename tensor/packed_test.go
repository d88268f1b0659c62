package tensor

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// packedBytes packs a tensor's rows.
func packedBytes(t *testing.T, x Tensor, rows []PackedRows) Tensor {
	t.Helper()
	var b bytes.Buffer
	if err := WritePacked(&b, nil, x, rows, nil); err != nil {
		t.Fatal(err)
	}
	p, err := PackedTensor(x.Name, x.Shape, rows, b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func randomF32(r *rand.Rand, shape ...int) Tensor {
	x := Tensor{Name: "x", Type: F32, Shape: shape}
	for range x.Elements() {
		x.Data = append(x.Data, floatBytes(float32(r.NormFloat64()))...)
	}
	return x
}

func floatBytes(v float32) []byte {
	b := math.Float32bits(v)
	return []byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)}
}

// TestPacked holds packed tensors, and rows of them, to what the tensors they were made of give.
func TestPacked(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for f := FormatF32; int(f) < len(formats); f++ {
		x := randomF32(r, 5, 20, 70)
		rows := []PackedRows{{f, 16}, {FormatF32, 24}, {f, 60}}
		p := packedBytes(t, x, rows)
		if got := p.PackedRows(); !slices.Equal(got, rows) {
			t.Fatalf("%v: rows %v, want %v", f, got, rows)
		}
		want := make([]float32, x.Elements())
		for from, at := 0, 0; at < len(rows); from, at = from+rows[at].Rows, at+1 {
			w := Pack(new(Arena), nil, rows[at].Format, x.matrix().Rows(from, from+rows[at].Rows))
			for i := range rows[at].Rows {
				w.Row(want[(from+i)*70:(from+i+1)*70], i)
			}
		}
		got := make([]float32, len(want))
		if p.Floats(got, 0); !slices.Equal(got, want) {
			t.Fatalf("%v: the tensor's numbers are not those packed", f)
		}
		if p.Floats(got[:100], 33); !slices.Equal(got[:100], want[33:133]) {
			t.Errorf("%v: elements from 33 differ by themselves", f)
		}
		for _, cut := range [][2]int{{0, 5}, {0, 1}, {1, 2}, {2, 5}, {3, 4}} {
			part := p.Rows(cut[0], cut[1])
			v := want[cut[0]*20*70 : cut[1]*20*70]
			if part.Floats(got[:len(v)], 0); !slices.Equal(got[:len(v)], v) {
				t.Errorf("%v: rows %v differ", f, cut)
			}
			// As matrices: in place or moved, in the formats they have, or decoded.
			for _, as := range []Format{FormatAuto, FormatQ5, FormatF32} {
				w := Pack(new(Arena), nil, as, part.matrix())
				for i := range w.Rows {
					if w.Row(got[:70], i); !slices.Equal(got[:70], v[i*70:(i+1)*70]) {
						t.Fatalf("%v as %v: rows %v: row %d differs", f, as, cut, i)
					}
				}
			}
		}
	}
}

// TestPackedProduct compares a product with weights of several formats with one for each.
func TestPackedProduct(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	pool := NewPool(2)
	defer pool.Close()
	ws := &Workspace{Pool: pool}
	x := randomF32(r, 113, 300)
	rows := []PackedRows{{FormatQ4, 32}, {FormatBF16, 21}, {FormatQ8, 40}, {FormatQ4L, 20}}
	w := Pack(new(Arena), pool, FormatAuto, packedBytes(t, x, rows))
	if len(w.parts) != len(rows) || w.Format != FormatQ4 || w.Rows != 113 {
		t.Fatalf("%d parts, %v, %d rows", len(w.parts), w.Format, w.Rows)
	}
	in, out := NewMat(9, 300), NewMat(9, 113)
	for i := range in.Data {
		in.Data[i] = float32(r.NormFloat64())
	}
	seen := 0
	ws.Watch = func(*Weight, Mat) { seen++ }
	MatMul(ws, out, in, w)
	if seen != 1 {
		t.Errorf("a product was shown %d times", seen)
	}
	from := 0
	for _, run := range rows {
		alone := NewMat(9, run.Rows)
		MatMul(ws, alone, in, Pack(new(Arena), nil, run.Format, x.Rows(from, from+run.Rows)))
		sameMat(t, run.Format.String(), out.Columns(from, from+run.Rows), alone)
		from += run.Rows
	}
}

func TestPackedTensorRefuses(t *testing.T) {
	size := PackedSize(FormatQ4, 16, 32) // 288 bytes in 320
	if size != 320 {
		t.Fatalf("a panel of 32 columns takes %d bytes", size)
	}
	good := []PackedRows{{FormatQ4, 16}}
	for i, c := range []struct {
		shape []int
		rows  []PackedRows
		bytes int
	}{
		{[]int{16, 32}, good, size - 1}, {[]int{16, 32}, good, size + 64}, {[]int{16, 32}, good, 0},
		{[]int{17, 32}, good, size}, {[]int{15, 32}, good, size}, {[]int{16, 33}, good, size},
		{[]int{512}, good, size}, {nil, good, size}, {[]int{16, 0}, good, size}, {[]int{0, 32}, nil, 0}, {[]int{-16, 32}, good, size},
		{[]int{1 << 40, 1 << 40}, good, size}, {[]int{math.MaxInt, 2}, good, size}, {[]int{1 << 62, 4, 32}, good, size},
		{[]int{16, 32}, nil, size}, {[]int{16, 32}, []PackedRows{{FormatAuto, 16}}, size}, {[]int{16, 32}, []PackedRows{{Format(99), 16}}, size},
		{[]int{16, 32}, []PackedRows{{FormatQ4, 0}, {FormatQ4, 16}}, size}, {[]int{16, 32}, []PackedRows{{FormatQ4, -1}}, size},
		{[]int{16, 32}, []PackedRows{{FormatQ4, 16}, {FormatQ4, 16}}, 2 * size},
	} {
		if p, err := PackedTensor("x", c.shape, c.rows, make([]byte, c.bytes)); err == nil {
			t.Errorf("case %d: accepted as %v", i, p)
		}
	}
	if _, err := PackedTensor("x", []int{16, 32}, good, make([]byte, size)); err != nil {
		t.Error(err)
	}
}

// FuzzPackedTensor reads every row of what is accepted.
func FuzzPackedTensor(f *testing.F) {
	f.Add(16, 32, uint8(FormatQ4), 16, uint8(0), 0, 320)
	f.Add(20, 40, uint8(FormatQ8), 4, uint8(FormatF32), 16, 4096)
	f.Fuzz(func(t *testing.T, rows, cols int, f0 uint8, n0 int, f1 uint8, n1 int, size int) {
		runs := []PackedRows{{Format(f0), n0}}
		if n1 != 0 {
			runs = append(runs, PackedRows{Format(f1), n1})
		}
		p, err := PackedTensor("x", []int{rows, cols}, runs, make([]byte, min(max(size, 0), 1<<20)))
		if err != nil {
			return
		}
		v := make([]float32, cols)
		for r := range rows {
			p.Floats(v, r*cols)
		}
		Pack(new(Arena), nil, FormatAuto, p).Row(v, rows-1)
	})
}

// TestTrimCodes cuts columns of every quantised format.
func TestTrimCodes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for f := FormatQ8; int(f) < len(formats); f++ {
		x := randomF32(r, 37, 100)
		w := Pack(new(Arena), nil, f, x)
		for _, cols := range []int{100, 96, 70, 32, 5} {
			cut, tail := Tensor{Type: F32, Shape: []int{37, cols}}, Tensor{Type: F32, Shape: []int{37, cols % 32}}
			for i := range 37 {
				row := x.Data[i*400 : (i+1)*400]
				cut.Data = append(cut.Data, row[:4*cols]...)
				tail.Data = append(tail.Data, row[4*(cols-cols%32):4*cols]...)
			}
			var last *Weight
			if cols%32 > 0 {
				last = Pack(new(Arena), nil, f, tail)
			}
			got, want := w.Trim(new(Arena), nil, cols, last), Pack(new(Arena), nil, f, cut)
			a, b := make([]float32, cols), make([]float32, cols)
			for i := range 37 {
				got.Row(a, i)
				if want.Row(b, i); !slices.Equal(a, b) {
					t.Fatalf("%v cut to %d columns: row %d: %v, want %v", f, cols, i, a, b)
				}
			}
			prefix := w.Prefix(20, 100)
			if prefix.Rows != 20 || prefix.Bytes() >= w.Bytes() {
				t.Errorf("%v: a prefix of %d rows, %d bytes", f, prefix.Rows, prefix.Bytes())
			}
		}
	}
}

func ExamplePackedTensor() {
	t, err := PackedTensor("w", []int{16, 32}, []PackedRows{{FormatQ4, 16}}, make([]byte, PackedSize(FormatQ4, 16, 32)))
	fmt.Println(t, err)
	// Output: w PACKED [16 32] <nil>
}

// TestPackTypes packs stacks of floats and blocks of every type and of several, and demands the panels that
// their numbers in float32, packed row by row, have.
func TestPackTypes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const cols = 2*packColumns + 70
	typed := func(to Type, rows int) Tensor {
		x := Tensor{Type: to, Shape: []int{rows, cols}}
		for range x.Elements() {
			switch v := float32(r.NormFloat64()); to {
			case BF16:
				x.Data = append(x.Data, byte(BFloat16(v)), byte(BFloat16(v)>>8))
			case F16:
				x.Data = append(x.Data, byte(Float16(v)), byte(Float16(v)>>8))
			case F8E4M3:
				x.Data = append(x.Data, byte(r.IntN(0x7e)))
			default:
				x.Data = append(x.Data, floatBytes(v)...)
			}
		}
		return x
	}
	cases := [][]Tensor{{typed(BF16, 37)}, {typed(F16, 37)}, {typed(F32, 37)}, {typed(F8E4M3, 20)}, {typed(BF16, 20), typed(F16, 5), typed(F32, 20)}}
	for _, from := range blockTypes {
		n, _ := from.Block()
		cases = append(cases, []Tensor{randomBlocks(r, from, 37, (2*packColumns+64+n-1)/n)})
	}
	cases = append(cases, []Tensor{randomBlocks(r, Q6_K, 20, 1), randomBlocks(r, Q5_1, 13, packColumns/32)})
	for i, parts := range cases {
		cols := parts[0].Shape[1]
		row := make([]float32, cols)
		wide := Tensor{Type: F32}
		for _, p := range parts {
			for r := range p.Shape[0] {
				p.Floats(row, r*cols)
				for _, v := range row {
					wide.Data = append(wide.Data, floatBytes(v)...)
				}
			}
			wide.Shape = []int{len(wide.Data) / 4 / cols, cols}
		}
		for f := FormatF32; int(f) < len(formats); f++ {
			if moves(parts[0].Type, f, cols) { // then codes stay as they are: TestBlockTypes
				continue
			}
			got := Pack(new(Arena), nil, f, parts...)
			for r := 0; r < wide.Shape[0]; r += PanelRows { // panel by panel, decoded to rows first
				n := min(PanelRows, wide.Shape[0]-r)
				want := heapBytes(formats[f].panel(cols))
				columns := make([]float32, cols*PanelRows)
				for i := range n * cols {
					wide.Floats(columns[i%cols*PanelRows+i/cols:][:1], r*cols+i)
				}
				storeColumns(f, want, columns, n, cols, 0, nil)
				if p := got.parts[0]; !bytes.Equal(p.data[r/PanelRows*p.size():][:p.size()], want) {
					t.Errorf("case %d as %v: the panel of row %d differs", i, f, r)
				}
			}
		}
	}
}
