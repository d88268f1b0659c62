package golden

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mminfer/mminfer/diffusion"
)

// DiffusionFiles are the files of diffusion cases that [Diffusion] runs.
func DiffusionFiles() []string {
	return []string{"dpm_solver.json", "trajectories.json", "diffusers_schedulers.json", "torch_randn.json"}
}

// DiffusionCase is what one case of a file gave.
type DiffusionCase struct {
	Name string
	Err  error // nil if it agrees
}

// Diffusion runs a file of diffusion cases, which needs no network.
func Diffusion(dir, file string) ([]DiffusionCase, error) {
	raw, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	runs := map[string]func([]byte) ([]DiffusionCase, error){
		"dpm_solver.json": dpmSolver, "trajectories.json": trajectories,
		"diffusers_schedulers.json": schedulers, "torch_randn.json": torchNoise,
	}
	run, ok := runs[file]
	if !ok {
		return nil, fmt.Errorf("golden: %s: want one of %s", file, strings.Join(DiffusionFiles(), ", "))
	}
	cases, err := run(raw)
	if err != nil {
		return nil, fmt.Errorf("golden: %s: %w", file, err)
	}
	return cases, nil
}

// toyNumbers are those of a description of the network.
var toyNumbers = regexp.MustCompile(`([0-9.]+)\*tanh.*?([0-9.]+)\*cos\(\w+/([0-9.]+)\)`)

// toyOf reads a description of the network.
func toyOf(text string) (net [3]float64, err error) {
	m := toyNumbers.FindStringSubmatch(text)
	if m == nil {
		return net, fmt.Errorf("network %q is unknown", text)
	}
	for i := range net {
		if net[i], err = strconv.ParseFloat(m[i+1], 64); err != nil {
			return net, err
		}
	}
	return net, nil
}

// toyNetwork is a·tanh(x) + b·cos(t/c) of each element; it appends the times that it is asked at.
func toyNetwork(net [3]float64, times *[]float64) diffusion.Network[float64] {
	return func(dst, x []float64, t float64) error {
		*times = append(*times, t)
		for i, v := range x {
			dst[i] = float64(net[0]*math.Tanh(v)) + float64(net[1]*math.Cos(t/net[2]))
		}
		return nil
	}
}

// dpmRow is a result of the original DPM-Solver code.
type dpmRow struct {
	Schedule, Algorithm, Options string
	Result                       []float64
	NFE                          *int
}

func dpmSolver(raw []byte) (cases []DiffusionCase, err error) {
	var g struct {
		Network string
		XT      [][]float64 `json:"x_T"`
		TStart  float64     `json:"t_start"`
		TEnd    float64     `json:"t_end"`
		Rows    []dpmRow
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		return nil, err
	}
	net, err := toyOf(g.Network)
	if err != nil {
		return nil, err
	}
	linear, err := diffusion.NewLinearVP(0.1, 20)
	if err != nil {
		return nil, err
	}
	discrete, err := diffusion.NewDiscreteVP(diffusion.ScaledLinearBetas(0.00085, 0.012, 1000), -5.1)
	if err != nil {
		return nil, err
	}
	for _, row := range g.Rows {
		s := map[string]diffusion.Schedule{"linear VP": linear, "discrete SD": discrete}[row.Schedule]
		if s == nil {
			return nil, fmt.Errorf("schedule %q is unknown", row.Schedule)
		}
		var times []float64
		r := &diffusion.Run[float64]{
			X:       slices.Concat(g.XT...),
			Denoise: diffusion.Predict(toyNetwork(net, &times), diffusion.Epsilon),
		}
		err := row.run(r, s, g.TStart, g.TEnd, 1)
		if err == nil {
			err = row.compare(r.X)
		}
		cases = append(cases, DiffusionCase{fmt.Sprintf("%s, %s, %s", row.Schedule, row.Algorithm, row.Options), err})
	}
	return cases, nil
}

// run does what the row's options say.
func (row *dpmRow) run(r *diffusion.Run[float64], s diffusion.Schedule, from, to float64, batch int) error {
	order, steps, toData, method := 0, 0, false, "multistep"
	spacing, form, taylor := diffusion.LogSNR, diffusion.Data, false
	if row.Algorithm == "dpmsolver" {
		form = diffusion.Noise
	}
	for _, word := range strings.Fields(row.Options) {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "order":
			order, _ = strconv.Atoi(value)
		case "steps":
			steps, _ = strconv.Atoi(value)
		case "taylor":
			taylor = true
		case "denoise_to_zero":
			toData = true
		case "time_uniform":
			spacing = diffusion.TimeUniform
		case "time_quadratic":
			spacing = diffusion.TimeQuadratic
		case "singlestep", "adaptive":
			method = name
		default:
			return fmt.Errorf("option %q is unknown", word)
		}
	}
	switch method {
	case "adaptive":
		n, err := diffusion.DPMAdaptive(r, s, from, to, diffusion.Adaptive{Order: order, Form: form, Taylor: taylor, Batch: batch, Compat: true})
		if err == nil && order*(n.Accepted+n.Rejected) != *row.NFE {
			err = fmt.Errorf("%d evaluations, want %d", order*(n.Accepted+n.Rejected), *row.NFE)
		}
		return err
	case "singlestep":
		orders, err := diffusion.FastOrders(steps, order)
		if err != nil {
			return err
		}
		grid, err := diffusion.SinglestepGrid(s, spacing, from, to, orders)
		if err != nil {
			return err
		}
		return diffusion.DPMSinglestep(r, grid, diffusion.Singlestep{Stages: diffusion.Stages(orders), Form: form, Taylor: taylor})
	}
	grid, err := diffusion.Grid(s, spacing, from, to, steps)
	if err != nil {
		return err
	}
	orders := diffusion.MultistepOrders(steps, order, steps < 10)
	if toData {
		grid, orders = diffusion.ToData(grid), append(orders, 1)
	}
	return diffusion.DPMMultistep(r, grid, diffusion.Multistep{Orders: orders, Form: form, Taylor: taylor, Compat: true})
}

// compare holds a result to the reference's ten digits, adaptive ones to six: their steps depend on a
// rounded error.
func (row *dpmRow) compare(got []float64) error {
	tolerance := 1e-9
	if row.NFE != nil {
		tolerance = 1e-6
	}
	return within("result", got, row.Result, tolerance)
}

// within returns an error unless two vectors differ by at most tolerance times the largest element or 1.
func within(what string, got, want []float64, tolerance float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%s: %d elements, want %d", what, len(got), len(want))
	}
	most := 1.0
	for _, v := range want {
		most = max(most, math.Abs(v))
	}
	for i, v := range got {
		if d := math.Abs(v - want[i]); !(d <= tolerance*most) {
			return fmt.Errorf("%s: element %d is %.12g, want %.12g: off by %.2g, tolerance %.2g", what, i, v, want[i], d, tolerance*most)
		}
	}
	return nil
}

// torchNoise checks the random numbers of torch: two units in the sixth digit are the reference's own
// vectorised logarithm and cosine.
func torchNoise(raw []byte) (cases []DiffusionCase, err error) {
	var g struct {
		Rows []struct {
			Seed       uint64
			N          int
			Successive []int
			Values     []float64
		}
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		return nil, err
	}
	for _, row := range g.Rows {
		draws := row.Successive
		if len(draws) == 0 {
			draws = []int{row.N}
		}
		gen := diffusion.NewGenerator(row.Seed)
		var got []float64
		for _, n := range draws {
			x := make([]float64, n)
			diffusion.Normal(gen, x)
			got = append(got, x...)
		}
		name := fmt.Sprintf("seed %d, %v numbers", row.Seed, draws)
		cases = append(cases, DiffusionCase{name, within("numbers", got, row.Values, 2e-6)})
	}
	return cases, nil
}
