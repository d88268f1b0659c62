package subnet

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/loader"
)

// routerPrefix begins the names of the tensors that choose the experts.
const routerPrefix = "base_model.lora_sparsemoe.router."

// router chooses the experts of a shape from x, which layers are kept and which width it has:
//
//	logits = W1·(W0·x + b0) + b1,  noise = N(0, 1)·softplus(Wn·x + bn)
//
// There is no activation between the two. Source: peft/tuners/lora/moe.py:13-31 in
// GATECH-EIC/AmoebaLLM@abb8f7e.
type router struct {
	in, hidden     int
	w0, b0, w1, b1 []float32 // [hidden, in], [hidden], [E, hidden], [E]
	wn, bn         []float32 // [E, in], [E]
}

// newRouter takes the router of an adapter.
func newRouter(ck *loader.Checkpoint, experts int) (*router, error) {
	r := new(router)
	t, ok := ck.Tensor(routerPrefix + "topkroute_linear.0.weight")
	if !ok || len(t.Shape) != 2 || t.Elements() > 1<<24 {
		return nil, fmt.Errorf("%stopkroute_linear.0.weight: expected a matrix, found %v", routerPrefix, t.Shape)
	}
	r.hidden, r.in = t.Shape[0], t.Shape[1]
	for _, w := range []struct {
		into  *[]float32
		name  string
		shape []int
	}{
		{&r.w0, "topkroute_linear.0.weight", []int{r.hidden, r.in}}, {&r.b0, "topkroute_linear.0.bias", []int{r.hidden}},
		{&r.w1, "topkroute_linear.1.weight", []int{experts, r.hidden}}, {&r.b1, "topkroute_linear.1.bias", []int{experts}},
		{&r.wn, "noise_linear.weight", []int{experts, r.in}}, {&r.bn, "noise_linear.bias", []int{experts}},
	} {
		t, ok := ck.Tensor(routerPrefix + w.name)
		if !ok || !slices.Equal(t.Shape, w.shape) || !t.Type.Float() {
			return nil, fmt.Errorf("%s%s: found %v, want %v", routerPrefix, w.name, t.Shape, w.shape)
		}
		*w.into = make([]float32, t.Elements())
		t.Floats(*w.into, 0)
	}
	return r, nil
}

// gates returns the weights of all experts for an input: a softmax over the topK largest logits, 0
// for the others; of equal ones the first. A seed draws the noise that the reference adds, nil leaves
// it out.
func (r *router) gates(x []float32, topK int, seed *uint64) []float32 {
	logits := affine(r.w1, r.b1, affine(r.w0, r.b0, x))
	if seed != nil {
		spread := affine(r.wn, r.bn, x)
		vec.Softplus(spread, spread)
		random := rand.New(rand.NewPCG(*seed, 0))
		for e := range logits {
			logits[e] += float32(float32(random.NormFloat64()) * spread[e])
		}
	}
	order := make([]int, len(logits))
	for e := range order {
		order[e] = e
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case logits[a] > logits[b]:
			return -1
		case logits[a] < logits[b]:
			return 1
		}
		return 0
	})
	gates, chosen := make([]float32, len(logits)), make([]float32, topK)
	for i := range chosen {
		chosen[i] = logits[order[i]]
	}
	sum := vec.ExpSum(chosen, chosen, 1, vec.Max(chosen))
	for i, p := range chosen {
		gates[order[i]] = p / sum
	}
	return gates
}

// affine computes w·x + b. A product of two float32 is exact in float64, so the sum has one value.
func affine(w, b, x []float32) []float32 {
	y := make([]float32, len(b))
	for i := range y {
		sum := float64(b[i])
		for j, v := range x {
			sum += float64(float64(w[i*len(x)+j]) * float64(v))
		}
		y[i] = float32(sum)
	}
	return y
}
