package tensor

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkPack packs a matrix of a checkpoint on one thread, in bytes of the checkpoint.
func BenchmarkPack(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, from := range []Type{BF16, F16, F32} {
		x := Tensor{Type: from, Shape: []int{512, 2048}}
		for range x.Elements() {
			switch v := float32(r.NormFloat64()); from {
			case BF16:
				x.Data = append(x.Data, byte(BFloat16(v)), byte(BFloat16(v)>>8))
			case F16:
				x.Data = append(x.Data, byte(Float16(v)), byte(Float16(v)>>8))
			default:
				x.Data = append(x.Data, floatBytes(v)...)
			}
		}
		for f := FormatF32; int(f) < len(formats); f++ {
			benchmarkPack(b, x, f)
		}
	}
	for _, from := range blockTypes {
		n, _ := from.Block()
		benchmarkPack(b, randomBlocks(r, from, 512, 2048/n), FormatAuto.For(from))
	}
}

func benchmarkPack(b *testing.B, x Tensor, f Format) {
	b.Run(fmt.Sprintf("from=%v/format=%v", x.Type, f), func(b *testing.B) {
		p := &packing{panels: panels{format: f, rows: x.Shape[0], cols: x.Shape[1]}, parts: []Tensor{x}}
		p.data = heapBytes(p.rows / PanelRows * p.size())
		b.SetBytes(int64(len(x.Data)))
		for b.Loop() {
			for i := range p.rows / PanelRows / panelsPerPart {
				p.Do(i)
			}
		}
	})
}
