package dense

import (
	"math/rand/v2"
	"runtime"
	"testing"

	gorgonia "gorgonia.org/tensor"

	"github.com/mminfer/mminfer/tensor"
)

// engines are what to compare: this package's engine on one thread and on all, and gorgonia's.
func engines(b *testing.B, run func(b *testing.B, e gorgonia.Engine)) {
	pool := tensor.NewPool(runtime.GOMAXPROCS(0))
	defer pool.Close()
	b.Run("engine=dense/threads=1", func(b *testing.B) { run(b, new(Engine)) })
	b.Run("engine=dense/threads=all", func(b *testing.B) { run(b, &Engine{Pool: pool}) })
	b.Run("engine=std", func(b *testing.B) { run(b, gorgonia.StdEng{}) })
}

// random returns a tensor of normal values.
func random(e gorgonia.Engine, shape ...int) *gorgonia.Dense {
	d := blank(e, nil, shape...)
	copy(d.Float32s(), normals(rand.New(rand.NewPCG(1, 1)), d.Size()))
	return d
}

func BenchmarkMatMul(b *testing.B) {
	const n = 512
	engines(b, func(b *testing.B, e gorgonia.Engine) {
		x, y, dst := random(e, n, n), random(e, n, n), blank(e, nil, n, n)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := x.MatMul(y, gorgonia.WithReuse(dst)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(2*n*n*n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	})
}

func BenchmarkMatVecMul(b *testing.B) {
	const n = 2048
	for _, layout := range []string{"row-major", "T"} {
		b.Run("layout="+layout, func(b *testing.B) {
			engines(b, func(b *testing.B, e gorgonia.Engine) {
				x, y, dst := layouts[layout](b, e, n, n), random(e, n), blank(e, nil, n)
				copy(x.Float32s(), normals(rand.New(rand.NewPCG(1, 1)), n*n))
				b.SetBytes(4 * n * n)
				for b.Loop() {
					if _, err := x.MatVecMul(y, gorgonia.WithReuse(dst)); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkSoftMax(b *testing.B) {
	engines(b, func(b *testing.B, e gorgonia.Engine) {
		x := random(e, 64, 2048)
		b.SetBytes(4 * 64 * 2048)
		for b.Loop() {
			if _, err := gorgonia.SoftMax(x, 1); err != nil {
				b.Fatal(err)
			}
		}
	})
}
