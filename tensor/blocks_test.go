package tensor

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/kernels/quant"
)

// blockTypes are the types that store blocks.
var blockTypes = []Type{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS}

// scales are the offsets of the half-precision numbers of a block.
var scales = map[Type][]int{
	Q4_0: {0}, Q4_1: {0, 2}, Q5_0: {0}, Q5_1: {0, 2}, Q8_0: {0}, Q2_K: {80, 82}, Q3_K: {108},
	Q4_K: {0, 2}, Q5_K: {0, 2}, Q6_K: {208}, IQ4_NL: {0}, IQ4_XS: {0},
}

// randomBlocks returns a tensor of random blocks whose scales are finite, small ones included.
func randomBlocks(r *rand.Rand, t Type, rows, blocks int) Tensor {
	n, size := t.Block()
	x := Tensor{Name: t.String(), Type: t, Shape: []int{rows, blocks * n}, Data: make([]byte, rows*blocks*size)}
	for i := range x.Data {
		x.Data[i] = byte(r.Uint32())
	}
	for b := range rows * blocks {
		for _, at := range scales[t] {
			if h := &x.Data[b*size+at+1]; *h&0x7c == 0x7c {
				*h &^= 0x40
			}
		}
	}
	return x
}

// bit returns bit i of b.
func bit(b []byte, i int) int { return int(b[i/8]>>(i%8)) & 1 }

// bitsAt returns n bits of b from bit i on.
func bitsAt(b []byte, i, n int) (v int) {
	for k := range n {
		v |= bit(b, i+k) << k
	}
	return v
}

// sixBits are scale and min of group g of Q4_K and Q5_K.
func sixBits(p []byte, g int) (scale, least int) {
	if g < 4 {
		return bitsAt(p, 8*g, 6), bitsAt(p, 8*g+32, 6)
	}
	return bitsAt(p, 8*g+32, 4) | bitsAt(p, 8*g-26, 2)<<4, bitsAt(p, 8*g+36, 4) | bitsAt(p, 8*g+6, 2)<<4
}

// element is element i of a block as the product of its integer factors with d, less (plus) that
// with m: written from the index outward, bit by bit, where the decoder goes group by group.
func element(t Type, b []byte, i int) (d float64, dq int, m float64, mq int) {
	h := func(at int) float64 { return float64(half(b[at:])) }
	nibble := func(at int) int { return bitsAt(b, 8*(at+i%16)+i/16*4, 4) }
	table := []int{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
	two := func(at int) int { return bitsAt(b, 8*(at+i/128*32+i%32)+i%128/32*2, 2) }
	switch t {
	case Q4_0:
		return h(0), nibble(2) - 8, 0, 0
	case IQ4_NL:
		return h(0), table[nibble(2)], 0, 0
	case Q4_1:
		return h(0), nibble(4), h(2), 1
	case Q5_0:
		return h(0), nibble(6) + 16*bit(b[2:], i) - 16, 0, 0
	case Q5_1:
		return h(0), nibble(8) + 16*bit(b[4:], i), h(2), 1
	case Q8_0:
		return h(0), int(int8(b[2+i])), 0, 0
	case Q2_K:
		return h(80), bitsAt(b, i/16*8, 4) * two(16), h(82), -bitsAt(b, i/16*8+4, 4)
	case Q3_K:
		g := i / 16
		scale := bitsAt(b[96:], g%8*8+g/8*4, 4) + 16*bitsAt(b[104:], g%4*8+g/4*2, 2) - 32
		return h(108), scale * (two(32) + 4*bit(b, i%32*8+i/32) - 4), 0, 0
	case Q4_K:
		scale, least := sixBits(b[4:], i/32)
		return h(0), scale * bitsAt(b[16:], (i/64*32+i%32)*8+i%64/32*4, 4), h(2), -least
	case Q5_K:
		scale, least := sixBits(b[4:], i/32)
		return h(0), scale * (bitsAt(b[48:], (i/64*32+i%32)*8+i%64/32*4, 4) + 16*bit(b[16:], i%32*8+i/32)), h(2), -least
	case Q6_K:
		low := bitsAt(b, (i/128*64+i%64)*8+i%128/64*4, 4)
		return h(208), int(int8(b[192+i/16])) * (low + 16*two(128) - 32), 0, 0
	default: // IQ4_XS
		scale := bitsAt(b[4:], i/32*4, 4) + 16*bitsAt(b[2:], i/32*2, 2) - 32
		return h(0), scale * table[bitsAt(b[8:], (i/32*16+i%16)*8+i%32/16*4, 4)], 0, 0
	}
}

// TestBlocks compares every type with the exact value of its formula, rounded once.
func TestBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, typ := range blockTypes {
		x := randomBlocks(r, typ, 20, 3)
		n, size := typ.Block()
		got := make([]float32, x.Elements())
		x.Floats(got, 0)
		for i, v := range got {
			d, dq, m, mq := element(typ, x.Data[i/n*size:(i/n+1)*size], i%n)
			exact := new(big.Float).SetPrec(200).SetFloat64(d * float64(dq))
			exact.Add(exact, new(big.Float).SetFloat64(m*float64(mq)))
			if want, _ := exact.Float32(); v != want {
				t.Fatalf("%v element %d: %v, want %v", typ, i, v, want)
			}
		}
		part := make([]float32, n)
		for from := 0; from < len(got); from += n {
			if x.Floats(part, from); !slices.Equal(part, got[from:from+n]) {
				t.Fatalf("%v: elements from %d differ by themselves", typ, from)
			}
		}
	}
}

// native are the formats that the types are multiplied in; in the first ones exactly.
var native = map[Type]Format{
	Q8_0: FormatQ8, Q5_0: FormatQ5, IQ4_NL: FormatQ4, Q4_0: FormatQ4L, Q4_1: FormatQ4L,
	Q4_K: FormatQ4L, IQ4_XS: FormatQ4,
	Q2_K: FormatQ8, Q3_K: FormatQ8, Q5_1: FormatQ8, Q5_K: FormatQ8, Q6_K: FormatQ8,
}

// packingBound bounds what packing a block of a type costs, 0 for nothing.
func packingBound(t Type, largest float64) float64 {
	switch t {
	case Q8_0, Q5_0, IQ4_NL, Q4_0, Q4_1:
		return 0
	case Q4_K: // scale and minimum are rounded to 11 bits, and no finer than 2⁻²⁴; each is at most twice the largest
		return 4*largest*0x1p-11 + 16*0x1p-25
	case IQ4_XS:
		return largest*0x1p-11 + 127*0x1p-25
	}
	return largest/254*(1+0x1p-10) + 127*0x1p-24 // the scale is rounded as above
}

// packedRow replaces a row of a type's numbers by what a panel of its native format holds of them, element
// by element.
func packedRow(t Type, row []float32, b []byte) {
	n, size := t.Block()
	round := func(v int, d []byte) float32 { return float16.Frombits(Float16(float32(v) * half(d))).Float32() }
	for i := range row {
		b, i, v := b[i/n*size:], i%n, &row[i]
		switch t {
		case Q4_0:
			*v = float32(float32(bitsAt(b[2:], i%16*8+i/16*4, 4))*half(b)) + round(-8, b)
		case Q4_K:
			scale, least := sixBits(b[4:], i/32)
			*v = float32(float32(bitsAt(b[16:], (i/64*32+i%32)*8+i%64/32*4, 4))*round(scale, b)) + round(-least, b[2:])
		case IQ4_XS:
			scale := bitsAt(b[4:], i/32*4, 4) + 16*bitsAt(b[2:], i/32*2, 2) - 32
			*v = iq4[bitsAt(b[8:], (i/32*16+i%16)*8+i%32/16*4, 4)] * round(scale, b)
		}
	}
	switch t {
	case Q2_K, Q3_K, Q5_1, Q5_K, Q6_K:
		quant.Q8Round(row)
	}
}

// TestBlockTypes checks what the rest of the package asks of a type.
func TestBlockTypes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	pool := NewPool(2)
	defer pool.Close()
	for _, typ := range blockTypes {
		if !typ.Float() || typ.Size() != 0 || FormatAuto.For(typ) != native[typ] || FormatAuto.Keeps(typ) || FormatBF16.Keeps(typ) || ParseType(typ.String()) != Invalid {
			t.Errorf("%v: Float %v, Size %d, For %v", typ, typ.Float(), typ.Size(), FormatAuto.For(typ))
		}
		n, _ := typ.Block()
		x := randomBlocks(r, typ, 37, 2304/n) // more columns than are packed at a time
		var arena Arena
		w := Pack(&arena, pool, FormatF32, x.Rows(0, 9), x.Rows(9, 37))
		rounded := Pack(&arena, pool, FormatAuto, x)
		want, got := make([]float32, w.Cols), make([]float32, w.Cols)
		for i := range w.Rows {
			x.Floats(want, i*w.Cols)
			if w.Row(got, i); !slices.Equal(got, want) {
				t.Fatalf("%v: row %d differs once packed", typ, i)
			}
			rounded.Row(got, i)
			for b := 0; b < w.Cols; b += 32 {
				largest := max(slices.Max(want[b:b+32]), -slices.Min(want[b:b+32]))
				for c := b; c < b+32 && largest < 1<<15; c++ { // in reach of half precision
					if bound := packingBound(typ, float64(largest)); !(math.Abs(float64(got[c]-want[c])) <= bound) {
						t.Fatalf("%v: element %d, %d: %v packed as %v, expected within %v", typ, i, c, want[c], got[c], bound)
					}
				}
			}
			if packedRow(typ, want, x.Data[i*len(x.Data)/37:]); !slices.Equal(got, want) {
				t.Fatalf("%v: row %d differs from its blocks packed one by one", typ, i)
			}
		}
	}
	if elements, size := Invalid.Block(); elements != 0 || size != 0 {
		t.Errorf("Invalid.Block() = %d, %d", elements, size)
	}
	x := randomBlocks(r, Q4_K, 1, 2)
	for _, test := range []struct{ n, from int }{{128, 0}, {256, 128}, {256, 512}, {512, 256}, {256, -256}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Floats accepts %d elements from %d", test.n, test.from)
				}
			}()
			x.Floats(make([]float32, test.n), test.from)
		}()
	}
	for _, b := range [][]byte{{0, 0x7c}, {0, 0xfe}} { // infinity, NaN
		v := make([]float32, 32)
		Tensor{Type: Q4_0, Shape: []int{32}, Data: append(b, make([]byte, 16)...)}.Floats(v, 0)
		if f := float64(v[0]); !math.IsInf(f, -1) && !math.IsNaN(f) {
			t.Errorf("scale %x gives %v", b, f)
		}
	}
}

// TestMixedPanel packs rows of several types, those of another panel among them, into one.
func TestMixedPanel(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for _, types := range [][]Type{{Q4_0, Q4_1, Q4_K}, {IQ4_NL, IQ4_XS}, {Q5_0}, {Q8_0}} {
		var parts []Tensor
		for _, typ := range types {
			n, _ := typ.Block()
			x := randomBlocks(r, typ, 3, 512/n)
			f := FormatAuto.For(typ)
			parts = append(parts, x, packedBytes(t, x, []PackedRows{{f, 3}}).Rows(1, 3))
		}
		w := Pack(new(Arena), nil, FormatAuto.For(types[0]), parts...)
		want, got := make([]float32, 512), make([]float32, 512)
		row := 0
		for _, p := range parts {
			alone := Pack(new(Arena), nil, w.Format, p)
			for i := range alone.Rows {
				alone.Row(want, i)
				if w.Row(got, row); !slices.Equal(got, want) {
					t.Fatalf("%v: row %d of %v differs", types, i, p)
				}
				row++
			}
		}
		if row != w.Rows || len(w.parts) != 1 {
			t.Errorf("%d rows of %d, %d parts", row, w.Rows, len(w.parts))
		}
	}
}

func BenchmarkBlocks(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, typ := range blockTypes {
		b.Run("type="+typ.String(), func(b *testing.B) {
			n, _ := typ.Block()
			x := randomBlocks(r, typ, 64, 4096/n)
			dst := make([]float32, 4096)
			b.SetBytes(4 * 4096)
			for i := 0; b.Loop(); i++ {
				x.Floats(dst, i%64*4096)
			}
		})
	}
}
