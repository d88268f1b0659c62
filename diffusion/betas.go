package diffusion

import (
	"fmt"
	"math"
)

// maxTrainSteps bounds how many levels a discrete schedule may have.
const maxTrainSteps = 1 << 20

// LinearBetas returns n variances of the steps of training, from first to last.
func LinearBetas(first, last float64, n int) []float64 { return linspace(first, last, n) }

// ScaledLinearBetas returns n variances whose roots are uniform, from first to last: Stable Diffusion's.
func ScaledLinearBetas(first, last float64, n int) []float64 {
	b := linspace(math.Sqrt(first), math.Sqrt(last), n)
	for i, v := range b {
		b[i] = v * v
	}
	return b
}

// SigmoidBetas returns n variances on a logistic curve from first to last.
func SigmoidBetas(first, last float64, n int) []float64 {
	b := linspace(-6, 6, n)
	for i, v := range b {
		b[i] = float64((last-first)/(1+math.Exp(-v))) + first
	}
	return b
}

// CosineBetas returns n variances whose signal is a squared cosine, at most 0.999 each (Nichol & Dhariwal
// 2021, arXiv:2102.09672, equation 17; "squaredcos_cap_v2").
func CosineBetas(n int) []float64 {
	signal := func(u float64) float64 {
		c := math.Cos((u + 0.008) / 1.008 * math.Pi / 2)
		return c * c
	}
	b := make([]float64, n)
	for i := range b {
		b[i] = min(1-signal(float64(i+1)/float64(n))/signal(float64(i)/float64(n)), 0.999)
	}
	return b
}

// A Table holds the levels that a network was trained on: α² and σ/α of each step, from little noise to
// much.
type Table struct {
	Signal []float64 // α², the cumulative product of 1-β
	Ratio  []float64 // σ/α
	logs   []float64 // of Ratio
}

// NewTable makes the table of some betas. zeroSNR shifts and scales the roots of the signal so that the
// last is 0 (Lin et al. 2023, arXiv:2305.08891, algorithm 1); its ratio is +Inf until [Table.Floor].
func NewTable(betas []float64, zeroSNR bool) (*Table, error) {
	n := len(betas)
	if n < 2 || n > maxTrainSteps {
		return nil, fmt.Errorf("diffusion: %d betas, want 2 to %d", n, maxTrainSteps)
	}
	t := &Table{Signal: make([]float64, n), Ratio: make([]float64, n), logs: make([]float64, n)}
	product := 1.0
	for i, b := range betas {
		if !(b > 0 && b < 1) {
			return nil, fmt.Errorf("diffusion: beta %d of %d is %g, want a number between 0 and 1", i, n, b)
		}
		product *= 1 - b
		t.Signal[i] = product
	}
	if !(product > 0) {
		return nil, fmt.Errorf("diffusion: the product of 1-β over %d betas is %g: want smaller betas", n, product)
	}
	if zeroSNR {
		first, last := math.Sqrt(t.Signal[0]), math.Sqrt(product)
		for i, s := range t.Signal {
			r := (math.Sqrt(s) - last) * first / (first - last)
			t.Signal[i] = r * r
		}
	}
	for i := range t.Signal {
		t.ratio(i)
	}
	return t, nil
}

func (t *Table) ratio(i int) {
	t.Ratio[i] = math.Sqrt((1 - t.Signal[i]) / t.Signal[i])
	t.logs[i] = math.Log(t.Ratio[i])
}

// Floor raises the last signal to least if it is below: what solvers in ln(α/σ) need of a table without
// any, 2⁻²⁴ in diffusers.
func (t *Table) Floor(least float64) {
	last := len(t.Signal) - 1
	t.Signal[last] = max(t.Signal[last], least)
	t.ratio(last)
}

// Step is the level of a step of training, with its time. Below step 0 it is that of data.
func (t *Table) Step(i int) Level {
	if i < 0 {
		return Level{Time: float64(i), Alpha: 1, Scale: 1}
	}
	a := t.Signal[i]
	return Level{Time: float64(i), Alpha: math.Sqrt(a), Sigma: math.Sqrt(1 - a), Scale: 1}
}

// RatioAt interpolates σ/α at a time between steps, those outside the table being the outermost.
func (t *Table) RatioAt(time float64) float64 {
	last := len(t.Ratio) - 1
	time = max(0, min(time, float64(last)))
	i := min(int(time), last-1)
	return t.Ratio[i] + float64((time-float64(i))*(t.Ratio[i+1]-t.Ratio[i]))
}

// TimeOf is the time between steps at which ln(σ/α) is that of ratio, by linear interpolation of the
// logarithm, within the table.
func (t *Table) TimeOf(ratio float64) float64 {
	l := math.Log(max(ratio, 1e-10))
	low, high := 0, len(t.logs)-1
	for high-low > 1 {
		if mid := (low + high) / 2; t.logs[mid] <= l {
			low = mid
		} else {
			high = mid
		}
	}
	w := (l - t.logs[low]) / (t.logs[high] - t.logs[low])
	return float64(low) + max(0, min(w, 1))
}
