// Package drawing runs golden pipelines of pictures: reference trajectories beside the folder that they were
// made with, and a trained model's distances of few steps from many.
package drawing

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/mminfer/mminfer/diffusion/pipeline"
	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tensor"
)

// drawing is the cases.json of a pipeline: one drawing of some samples.
type drawing struct {
	Prompt   []int32 `json:"prompt_ids"`
	Negative []int32 `json:"negative_ids"`
	Labels   []int
	Steps    int
	Guidance float64   `json:"guidance_scale"`
	Times    []float64 `json:"timesteps"`

	Errors struct{ Latents, Image01 float64 } `json:"float32_pipeline_max_abs_error"` // of the reference in float32
	Error  float64                            `json:"float32_reference_max_abs_error"`
}

// wanted are the tensors of a want.safetensors.
type wanted struct{ ck *loader.Checkpoint }

// floats returns a tensor, nil if there is none.
func (w wanted) floats(name string) []float64 {
	t, ok := w.ck.Tensor(name)
	if !ok {
		return nil
	}
	x := make([]float64, t.Elements())
	for i := range x {
		if t.Type == tensor.F64 {
			x[i] = math.Float64frombits(le64(t.Data[8*i:]))
			continue
		}
		one := make([]float32, 1)
		t.Floats(one, i)
		x[i] = float64(one[0])
	}
	return x
}

func le64(b []byte) (v uint64) {
	for i := range 8 {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}

// Pipeline draws what the cases.json of a pipeline's folder says and compares: every guided prediction of
// the network for the reference's own latents, within 1e-4 of the largest value, and what is drawn, within
// ten times the error that the reference makes in float32. A DiT amplifies units in the last place of its
// time features, and is held to 2e-4 and its picture to 2e-3.
func Pipeline(dir string, o pipeline.Options) ([]golden.Result, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		return nil, err
	}
	var c drawing
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("drawing: cases.json: %w", err)
	}
	ck, err := loader.OpenFile(filepath.Join(dir, "want.safetensors"))
	if err != nil {
		return nil, err
	}
	defer ck.Close()
	p, err := pipeline.Open(dir, o)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var results []golden.Result
	for i := range max(1, len(c.Labels)) {
		rows, err := c.sample(p, wanted{ck}, i)
		if err != nil {
			return nil, err
		}
		results = append(results, rows...)
	}
	return results, nil
}

// sample draws sample i.
func (c *drawing) sample(p *pipeline.Pipeline, want wanted, i int) ([]golden.Result, error) {
	n := max(1, len(c.Labels))
	start := want.floats("in.latents")
	if start == nil {
		start = want.floats("in.x")
	}
	if start == nil || len(start)%n != 0 {
		return nil, fmt.Errorf("drawing: want.safetensors: %d numbers to start from for %d samples", len(start), n)
	}
	size := len(start) / n
	of := func(x []float64, k int) []float64 { return x[(k*n+i)*size:][:size] } // of row k
	r := pipeline.Request{
		PromptIDs: c.Prompt, NegativeIDs: c.Negative, Class: pipeline.None, Seeds: []uint64{0}, Steps: c.Steps, Guidance: c.Guidance,
		Latents: narrow(of(start, 0)),
	}
	name := "prompt"
	if len(c.Labels) > 0 {
		r.Class = c.Labels[i]
		name = fmt.Sprintf("class %d", r.Class)
	}
	if t, ok := want.ck.Tensor("in.latents"); ok {
		r.Height, r.Width = t.Shape[2]*p.Factor, t.Shape[3]*p.Factor
	}
	step, picture := 1e-4, 10*c.Errors.Image01
	if p.Kind == pipeline.ClassToLatent {
		step, picture = 2e-4, 2e-3
	}
	var results []golden.Result
	latents, guided := want.floats("latents"), want.floats("guided")
	if guided != nil {
		network, err := p.Guided(context.Background(), r)
		if err != nil {
			return nil, err
		}
		for k, t := range c.Times {
			got := make([]float64, size)
			if err := network(got, of(latents, k), t); err != nil {
				return nil, err
			}
			results = append(results, compareTo(name, fmt.Sprintf("step %d", k+1), got, of(guided, k), step*largest(of(guided, k))))
		}
	}
	if noise := want.floats("in.noise"); noise != nil {
		draw := 0
		r.Noise = func(x []float64) { copy(x, of(noise, draw)); draw++ }
	}
	drawn, err := p.Generate(context.Background(), r)
	if err != nil {
		return nil, err
	}
	if x := want.floats("x"); x != nil {
		return append(results, compareTo(name, "picture", widen(drawn.Latents), of(x, c.Steps), 10*c.Error)), nil
	}
	if c.Errors.Latents > 0 {
		results = append(results, compareTo(name, "latents", widen(drawn.Latents), of(latents, c.Steps), 10*c.Errors.Latents))
	}
	image := want.floats("image01")
	got := widen(drawn.Pixels[0])
	for k, v := range got {
		got[k] = min(max(v/2+0.5, 0), 1)
	}
	return append(results, compareTo(name, "picture", got, image[i*len(got):][:len(got)], picture)), nil
}

func compareTo(name, of string, got, want []float64, bound float64) golden.Result {
	r := golden.Result{Case: name, Of: of, Bound: bound}
	if len(got) != len(want) {
		r.Note = fmt.Sprintf("%d numbers, want %d", len(got), len(want))
		return r
	}
	for k, v := range got {
		if d := math.Abs(v - want[k]); !(d <= r.MaxError) {
			r.MaxError = d
		}
	}
	return r
}

func largest(x []float64) (most float64) {
	for _, v := range x {
		most = max(most, math.Abs(v))
	}
	return most
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func widen(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// samplers are the solvers of an nfe.json by the names that it gives them.
var samplers = map[string]string{
	"DDIM (order 1)": "ddim", "DPM-Solver-2 singlestep": "dpm-2s", "DPM-Solver-3 singlestep (fast)": "dpm-3s",
	"DPM-Solver 2M": "dpm-2m", "DPM-Solver++ 2M": "dpmpp-2m", "DPM-Solver++ 3M": "dpmpp-3m", "UniPC-2": "unipc-2", "UniPC-3": "unipc-3",
}

// Samples draws with a trained model of pixels what its golden.json and nfe.json say. Pictures are within
// 1e-4 of the reference's, and the distances of few steps from the solution of 1000 within 1 %. Steps
// are the columns of nfe.json to compute, nil for all.
func Samples(dir string, o pipeline.Options, steps []int) ([]golden.Result, error) {
	p, err := pipeline.Open(dir, o)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	results, err := fixedSamples(dir, p)
	if err != nil {
		return nil, err
	}
	few, err := fewSteps(dir, p, steps)
	return append(results, few...), err
}

// fixedSamples are the pictures of golden.safetensors.
func fixedSamples(dir string, p *pipeline.Pipeline) ([]golden.Result, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	if err != nil {
		return nil, err
	}
	var c struct{ Labels []int }
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("drawing: golden.json: %w", err)
	}
	ck, err := loader.OpenFile(filepath.Join(dir, "golden.safetensors"))
	if err != nil {
		return nil, err
	}
	defer ck.Close()
	want := wanted{ck}
	noise := want.floats("noise")
	size := len(noise) / max(1, len(c.Labels))
	var results []golden.Result
	for i, class := range c.Labels {
		of := func(x []float64) []float64 { return x[i*size:][:size] }
		r := pipeline.Request{Class: class, Seeds: []uint64{0}, Latents: narrow(of(noise)), Steps: 20, Guidance: 2}
		network, err := p.Guided(context.Background(), r)
		if err != nil {
			return nil, err
		}
		got := make([]float64, size)
		if err := network(got, of(noise), 999); err != nil {
			return nil, err
		}
		name := fmt.Sprintf("class %d", class)
		results = append(results, compareTo(name, "first output", got, of(want.floats("A.first_output")), 1e-4))
		single, implicit := r, r
		single.Solver, single.Spacing, single.Steps, single.Guidance, single.ToData = "dpm-3s", "logsnr", 15, 1, true
		implicit.Solver, implicit.Spacing, implicit.Steps, implicit.Guidance = "ddim", "leading", 10, 3
		for _, one := range []struct {
			name string
			r    pipeline.Request
		}{{"A", r}, {"B", single}, {"C", implicit}} {
			drawn, err := p.Generate(context.Background(), one.r)
			if err != nil {
				return nil, err
			}
			results = append(results, compareTo(name, one.name, widen(drawn.Latents), of(want.floats(one.name+".image")), 1e-4))
		}
	}
	return results, nil
}

// fewSteps are the distances of nfe.json. The last result holds the model to the claim that DPM-Solver++ 2M
// with 20 calls is nearer than DDIM with 50.
func fewSteps(dir string, p *pipeline.Pipeline, steps []int) ([]golden.Result, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "nfe.json"))
	if err != nil {
		return nil, err
	}
	var table struct {
		Labels []int
		RMSE   map[string]map[string]float64 `json:"rmse_to_ddim1000"`
	}
	if err := json.Unmarshal(raw, &table); err != nil {
		return nil, fmt.Errorf("drawing: nfe.json: %w", err)
	}
	ck, err := loader.OpenFile(filepath.Join(dir, "nfe.safetensors"))
	if err != nil {
		return nil, err
	}
	defer ck.Close()
	noise, limit := wanted{ck}.floats("noise"), wanted{ck}.floats("ddim1000")
	got := map[string]float64{}
	var results []golden.Result
	for name, row := range table.RMSE {
		for column, want := range row {
			n, err := strconv.Atoi(column)
			if err != nil || samplers[name] == "" {
				return nil, fmt.Errorf("drawing: nfe.json: %q, %q steps: unknown", name, column)
			}
			if steps != nil && !slices.Contains(steps, n) {
				continue
			}
			d, err := meanDistance(p, table.Labels, noise, limit, samplers[name], n)
			if err != nil {
				return nil, err
			}
			got[samplers[name]+column] = d
			results = append(results, golden.Result{Case: name, Of: fmt.Sprintf("%2d steps: %.4f from the limit", n, d), MaxError: math.Abs(d - want), Bound: 0.01 * want})
		}
	}
	slices.SortFunc(results, func(a, b golden.Result) int { return slices.Compare([]string{a.Case, a.Of}, []string{b.Case, b.Of}) })
	if a, b := got["dpmpp-2m20"], got["ddim50"]; a > 0 && b > 0 {
		results = append(results, golden.Result{Case: "DPM-Solver++ 2M", Of: "20 steps nearer than 50 of DDIM", MaxError: a, Bound: b})
	}
	return results, nil
}

// meanDistance is the mean over samples of the root mean square to the limit.
func meanDistance(p *pipeline.Pipeline, labels []int, noise, limit []float64, solver string, steps int) (mean float64, err error) {
	drawn, err := p.Generate(context.Background(), pipeline.Request{
		Classes: labels, Seeds: make([]uint64, len(labels)), Latents: narrow(noise), Solver: solver, Spacing: "logsnr", Steps: steps, Guidance: 1, Compat: true,
	})
	if err != nil {
		return 0, err
	}
	size := len(noise) / len(labels)
	for i := range labels {
		sum := 0.0
		for k := i * size; k < (i+1)*size; k++ {
			d := float64(drawn.Latents[k]) - limit[k]
			sum += float64(d * d)
		}
		mean += math.Sqrt(sum/float64(size)) / float64(len(labels))
	}
	return mean, nil
}
