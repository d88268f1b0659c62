package tensor

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/x448/float16"
)

// random returns a float32 tensor of normal values.
func random(r *rand.Rand, shape ...int) Tensor {
	t := Tensor{Name: "t", Type: F32, Shape: shape}
	for range t.Elements() {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(r.NormFloat64())))
	}
	return t
}

func TestFloats(t *testing.T) {
	le := binary.LittleEndian
	cases := []struct {
		typ  Type
		data []byte
		want []float32
	}{
		{F32, le.AppendUint32(nil, math.Float32bits(-1.5)), []float32{-1.5}},
		{F64, le.AppendUint64(nil, math.Float64bits(0.1)), []float32{0.1}},
		{BF16, []byte{0x80, 0x3f, 0xc0, 0xc0}, []float32{1, -6}},
		{F16, []byte{0, 0x3c, 1, 0}, []float32{1, 0x1p-24}},
		{F8E4M3, []byte{0x38, 0xc0, 0x7e, 0x01, 0x08, 0x80}, []float32{1, -2, 448, 0x1p-9, 0x1p-6, float32(math.Copysign(0, -1))}},
		{F8E5M2, []byte{0x3c, 0xc0, 0x7b, 0x01, 0x7c}, []float32{1, -2, 57344, 0x1p-16, float32(math.Inf(1))}},
		{I64, le.AppendUint64(nil, math.MaxUint64), []float32{-1}},
		{U64, le.AppendUint64(nil, math.MaxUint64), []float32{0x1p64}},
		{I32, le.AppendUint32(nil, 0x80000000), []float32{-0x1p31}},
		{U32, le.AppendUint32(nil, 0x80000000), []float32{0x1p31}},
		{I16, []byte{0xff, 0xff}, []float32{-1}},
		{U16, []byte{0xff, 0xff}, []float32{65535}},
		{I8, []byte{0xff}, []float32{-1}},
		{U8, []byte{0xff}, []float32{255}},
		{Bool, []byte{1}, []float32{1}},
	}
	for _, c := range cases {
		x := Tensor{Type: c.typ, Shape: []int{len(c.want)}, Data: c.data}
		got := make([]float32, len(c.want))
		x.Floats(got, 0)
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(c.want[i]) {
				t.Errorf("%v element %d: %v, want %v", c.typ, i, got[i], c.want[i])
			}
		}
	}
	var nan [1]float32
	Tensor{Type: F8E4M3, Shape: []int{1}, Data: []byte{0xff}}.Floats(nan[:], 0)
	if nan[0] == nan[0] {
		t.Errorf("F8_E4M3 ff: %v, want NaN", nan[0])
	}
}

func TestBfloat16(t *testing.T) {
	for in, want := range map[float32]uint16{1: 0x3f80, 0x1.01p0: 0x3f80, 0x1.03p0: 0x3f82, 0x1.010002p0: 0x3f81, math.MaxFloat32: 0x7f80} {
		if got := BFloat16(in); got != want {
			t.Errorf("%v rounds to %04x, want %04x", in, got, want)
		}
	}
	if got := BFloat16(float32(math.NaN())); got&0x7f80 != 0x7f80 || got&0x7f == 0 {
		t.Errorf("NaN becomes %04x", got)
	}
}

// TestMatMul compares every format with float64 sums over the values its rows hold.
func TestMatMul(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	pool := NewPool(3)
	defer pool.Close()
	for _, format := range []Format{FormatF32, FormatBF16, FormatF16, FormatBF16Dot, FormatQ8} {
		for _, size := range [][3]int{{1, 5, 7}, {3, 40, 64}, {7, 300, 257}, {2, 1000, 300}} {
			tokens, out, in := size[0], size[1], size[2]
			var arena Arena
			w := Pack(&arena, pool, format, random(r, out-3, in), random(r, 3, in))
			if w.Rows != out || w.Cols != in || w.Bytes() == 0 {
				t.Fatalf("%v: packed as [%d %d]", format, w.Rows, w.Cols)
			}
			wide := Mat{tokens, in, in + 2, make([]float32, tokens*(in+2))}
			for i := range wide.Data {
				wide.Data[i] = float32(r.NormFloat64())
			}
			serial, shared := NewMat(tokens, out), NewMat(tokens, out+9).Columns(4, 4+out)
			MatMul(&Workspace{}, serial, wide, w)
			ws := &Workspace{Pool: pool}
			MatMulAll(ws, []Product{{shared.Slice(0, tokens), wide, w}})
			row := make([]float32, in)
			for o := range out {
				w.Row(row, o)
				for tok := range tokens {
					if math.Float32bits(serial.Row(tok)[o]) != math.Float32bits(shared.Row(tok)[o]) {
						t.Fatalf("%v %v: [%d %d] is %v on one thread, %v on three", format, size, tok, o, serial.Row(tok)[o], shared.Row(tok)[o])
					}
					x := wide.Row(tok)
					var sum, abs float64
					for k := range in {
						p := float64(row[k]) * float64(x[k])
						sum, abs = sum+p, abs+math.Abs(p)
					}
					bound := float64(in) * 0x1p-24 * abs
					if format == FormatQ8 {
						bound += rounding(x, row) // half a step of each activation
					}
					if format == FormatBF16Dot {
						bound += abs * 0x1p-8 // likewise
					}
					if err := math.Abs(float64(serial.Row(tok)[o]) - sum); !(err <= bound) {
						t.Fatalf("%v %v: [%d %d] = %v, want %v within %v", format, size, tok, o, serial.Row(tok)[o], sum, bound)
					}
				}
			}
			arena.Free()
		}
	}
}

// rounding bounds what quantising x to 8 bits adds to its product with w.
func rounding(x, w []float32) (bound float64) {
	for from := 0; from < len(x); from += 32 {
		to := min(from+32, len(x))
		var top, sum float64
		for i := from; i < to; i++ {
			top, sum = max(top, math.Abs(float64(x[i]))), sum+math.Abs(float64(w[i]))
		}
		bound += top / 127 * 0.5001 * sum
	}
	return bound
}

func TestPackKeepsValues(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	src := random(r, 21, 50)
	half := Tensor{Name: "h", Type: F16, Shape: []int{4, 50}}
	for range half.Elements() {
		half.Data = binary.LittleEndian.AppendUint16(half.Data, float16.Fromfloat32(float32(r.NormFloat64())).Bits())
	}
	for _, x := range []Tensor{src, half} {
		w := Pack(new(Arena), nil, FormatAuto, x)
		got, want := make([]float32, 50), make([]float32, 50)
		for i := range x.Shape[0] {
			w.Row(got, i)
			x.Floats(want, i*50)
			for k := range want {
				if got[k] != want[k] {
					t.Fatalf("%v: [%d %d] = %v, want %v", w.Format, i, k, got[k], want[k])
				}
			}
		}
	}
}

// Rows that are set one panel after another are those of a matrix packed at once; floats of 16 bits read as
// they are stored, whatever the number of rows and columns.
func TestSetRows(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, f := range []Format{FormatF32, FormatBF16, FormatF16, FormatBF16Dot} {
		shapes := [][2]int{{16, 8}, {1, 1}, {35, 19}, {64, 33}}
		for i, w := range Blank(new(Arena), f, shapes) {
			rows, cols := shapes[i][0], shapes[i][1]
			src := random(r, rows, cols)
			x, got, want, again := make([]float32, rows*cols), make([]float32, cols), make([]float32, cols), make([]float32, cols)
			src.Floats(x, 0)
			for from := 0; from < rows; from += 16 {
				w.SetRows(from, x[from*cols:min(from+16, rows)*cols])
			}
			packed := Pack(new(Arena), nil, f, src)
			stored := Tensor{Name: "stored", Type: map[Format]Type{FormatF32: F32, FormatBF16: BF16, FormatBF16Dot: BF16, FormatF16: F16}[f], Shape: src.Shape}
			for _, v := range x {
				switch f {
				case FormatF32:
					stored.Data = binary.LittleEndian.AppendUint32(stored.Data, math.Float32bits(v))
				case FormatBF16, FormatBF16Dot:
					stored.Data = binary.LittleEndian.AppendUint16(stored.Data, BFloat16(v))
				case FormatF16:
					stored.Data = binary.LittleEndian.AppendUint16(stored.Data, Float16(v))
				}
			}
			copied := Pack(new(Arena), nil, f, stored)
			for row := range rows {
				w.Row(got, row)
				packed.Row(want, row)
				copied.Row(again, row)
				if !slices.Equal(got, want) || !slices.Equal(again, want) {
					t.Fatalf("%v %v: row %d is %v and %v, want %v", f, shapes[i], row, got, again, want)
				}
			}
		}
	}
}

func TestWorkspace(t *testing.T) {
	var ws Workspace
	use := func() {
		m := ws.Mark()
		a, b := ws.Floats(100_000), ws.Ints(100_000)
		for i := range a {
			a[i], b[i] = 1, 2
		}
		inner := ws.Mark()
		ws.Floats(5)
		ws.Release(inner)
		c := ws.Mat(3, 7)
		c.Row(2)[6] = 5
		if a[99_999] != 1 || b[0] != 2 {
			t.Fatal("slices overlap")
		}
		ws.Release(m)
	}
	use()
	if n := testing.AllocsPerRun(10, use); n != 0 {
		t.Errorf("%v allocations in the steady state", n)
	}
}

func TestMatMulAllocatesNothing(t *testing.T) {
	pool := NewPool(2)
	defer pool.Close()
	ws := &Workspace{Pool: pool}
	r := rand.New(rand.NewPCG(3, 3))
	for _, f := range []Format{FormatF32, FormatBF16, FormatBF16Dot, FormatQ8} {
		w := Pack(new(Arena), pool, f, random(r, 512, 512))
		dst, x := NewMat(1, 512), NewMat(1, 512)
		MatMul(ws, dst, x, w)
		if n := testing.AllocsPerRun(100, func() { MatMul(ws, dst, x, w) }); n != 0 {
			t.Errorf("%v: %v allocations", f, n)
		}
	}
}

func TestParseFormat(t *testing.T) {
	for f := FormatAuto; f <= FormatQ8; f++ {
		if got, err := ParseFormat(f.String()); got != f || err != nil {
			t.Errorf("%v parses as %v, %v", f, got, err)
		}
	}
	if _, err := ParseFormat("q9"); err == nil {
		t.Error("q9 accepted")
	}
	for typ := F64; typ <= Bool; typ++ {
		if ParseType(typ.String()) != typ || typ.Size() == 0 {
			t.Errorf("%v does not round-trip", typ)
		}
	}
}

func TestNotFinite(t *testing.T) {
	bad := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.Float32frombits(0xff800001)}
	for n := range 40 {
		x := make([]float32, n)
		for i := range x {
			x[i] = []float32{0, -1, math.MaxFloat32, -math.MaxFloat32, 0x1p-149}[i%5]
		}
		if got := NotFinite(x); got != -1 {
			t.Fatalf("%d finite numbers: %d", n, got)
		}
		for i := range x {
			for _, v := range bad {
				was := x[i]
				x[i] = v
				if got := NotFinite(x); got != i {
					t.Fatalf("%v at %d of %d: %d", v, i, n, got)
				}
				x[i] = was
			}
		}
	}
}

// TestNotFiniteHalf tries every number of 16 bits at every place.
func TestNotFiniteHalf(t *testing.T) {
	for _, f := range []Format{FormatF16, FormatBF16} {
		wide := make([]float32, 1)
		for n := range 9 {
			x := make([]uint16, n)
			for i := range x {
				for v := range 1 << 16 {
					x[i] = uint16(v)
					Widen(wide, x[i:i+1], f)
					if got := NotFiniteHalf(x, f); (got == i) != (NotFinite(wide) == 0) || got != i && got != -1 {
						t.Fatalf("%v: %#04x at %d of %d: %d", f, v, i, n, got)
					}
				}
				x[i] = map[Format]uint16{FormatF16: 0xfbff, FormatBF16: 0xff7f}[f] // the largest number, negative
			}
		}
	}
}

// TestSlab cuts numbers of all kinds from blocks.
func TestSlab(t *testing.T) {
	s := NewSlab(3*64 + 4)
	codes, halves, floats, last, long := Cut[int8](s, 5), Cut[uint16](s, 32), Cut[float32](s, 16), Cut[float32](s, 1), Cut[float32](s, 100)
	for _, x := range [][]byte{bytesOf(codes), bytesOf(halves), bytesOf(floats), bytesOf(last), bytesOf(long), bytesOf(Cut[int8](s, 1))} {
		if len(x) != cap(x) || slices.ContainsFunc(x, func(b byte) bool { return b != 0 }) {
			t.Fatalf("%d bytes of %d: %d", len(x), cap(x), x)
		}
		for i := range x {
			x[i] = 1 // what is cut twice is no zero the next time
		}
	}
	if own := Cut[uint16](nil, 7); len(own) != 7 {
		t.Errorf("%d numbers", len(own))
	}
}

func TestLittleEndian(t *testing.T) {
	x := []float32{1, -2}
	b := LittleEndian(x)
	if b == nil {
		t.Skip("a big-endian machine")
	}
	if got := binary.LittleEndian.Uint32(b[4:]); len(b) != 8 || got != math.Float32bits(-2) {
		t.Fatalf("%x", b)
	}
	b[3] = 0x40
	if x[0] == 1 {
		t.Fatal("the bytes are a copy")
	}
}
