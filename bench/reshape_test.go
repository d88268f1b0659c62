package bench

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/internal/cputime"
	"github.com/mminfer/mminfer/internal/synth"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// family is a LLaMA with a mixture of low-rank adapters and a strategy.
type family struct {
	Type   string `json:"model_type"`
	Layers int    `json:"num_hidden_layers"`
	Width  int    `json:"hidden_size"`
	Inner  int    `json:"intermediate_size"`
	Heads  int    `json:"num_attention_heads"`
	Keys   int    `json:"num_key_value_heads"`
	Vocab  int    `json:"vocab_size"`
	Tokens int    `json:"max_position_embeddings"`

	rank int
}

// Families of the size of the goldens, and of TinyLlama with the rank that the reference trains.
var families = map[string]family{
	"golden": {"llama", 6, 64, 172, 4, 4, 97, 256, 8},
	"1.1b":   {"llama", 22, 2048, 5632, 32, 4, 32000, 2048, 64},
}

// ratios are the widths of a family, as the reference trains them.
var ratios = []float64{1, 0.875, 0.75, 0.625}

const experts = 5

// BenchmarkReshape changes the shape of a family that is held in memory, factored. It reports the least and the
// median milliseconds of a change, by the clock and of processors.
func BenchmarkReshape(b *testing.B) {
	for _, name := range []string{"golden", "1.1b"} {
		for _, format := range []tensor.Format{tensor.FormatBF16, tensor.FormatQ8} {
			b.Run(fmt.Sprintf("model=%s/quant=%v", name, format), func(b *testing.B) { families[name].reshape(b, name, format) })
		}
	}
}

func (f family) reshape(b *testing.B, name string, format tensor.Format) {
	dir := f.files(b, name)
	e, err := mminfer.Open(filepath.Join(dir, "base"), mminfer.WithStrategy(dir), mminfer.WithAdapter(dir), mminfer.WithFactored(), mminfer.WithFormat(format))
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for _, s := range e.Shapes() { // the experts of all are in memory then
		change(b, e, s)
	}
	for _, to := range []string{fmt.Sprintf("%dx1", f.Layers), fmt.Sprintf("%dx0.75", f.Layers-1), fmt.Sprintf("%dx0.625", f.Layers/2)} {
		b.Run("to="+to, func(b *testing.B) {
			var wall, cpu []float64
			for b.Loop() {
				w, c := change(b, e, to)
				wall, cpu = append(wall, w), append(cpu, c)
			}
			b.ReportMetric(median(wall), "ms")
			b.ReportMetric(wall[0], "least-ms")
			b.ReportMetric(median(cpu), "cpu-ms")
			b.ReportMetric(cpu[0], "least-cpu-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// change opens another shape and returns the milliseconds that it takes, by the clock and of processors.
func change(b *testing.B, e *mminfer.Engine, shape string) (wall, cpu float64) {
	start, used := time.Now(), cputime.Process()
	n, err := e.Reshape(shape)
	wall, cpu = 1e3*time.Since(start).Seconds(), 1e3*(cputime.Process()-used).Seconds()
	if err != nil {
		b.Fatal(err)
	}
	if err := n.Close(); err != nil {
		b.Fatal(err)
	}
	return wall, cpu
}

// files writes base, adapter and strategy, unless they are there.
func (f family) files(b *testing.B, name string) string {
	root := os.Getenv("MMINFER_BENCH")
	if root == "" {
		root = b.TempDir()
	}
	dir := filepath.Join(root, "family-"+name)
	if _, err := os.Stat(filepath.Join(dir, "strategy.json")); err == nil {
		return dir
	}
	config, err := json.Marshal(f)
	if err == nil {
		err = synth.Write(b.Context(), filepath.Join(dir, "base"), config, synth.Options{Type: tensor.BF16})
	}
	if err == nil {
		err = f.adapter(dir)
	}
	if err == nil {
		err = f.strategy(dir)
	}
	if err != nil {
		b.Fatal(err)
	}
	return dir
}

// adapter writes the adapter, of float32 as peft stores it.
func (f family) adapter(dir string) (err error) {
	config := fmt.Sprintf(`{"peft_type": "LORA", "r": %d, "lora_alpha": 16, "use_moe_lora": true, "num_experts": %d, "top_k": 2, "width_choice": "[1,7/8,3/4,5/8]"}`, f.rank, experts)
	if err := os.WriteFile(filepath.Join(dir, "adapter_config.json"), []byte(config), 0o644); err != nil {
		return err
	}
	var list []tensor.Tensor
	add := func(name string, shape ...int) {
		list = append(list, tensor.Tensor{Name: "base_model." + name, Type: tensor.F32, Shape: shape})
	}
	in := f.Layers + len(ratios)
	for name, shape := range map[string][]int{
		"topkroute_linear.0.weight": {16, in}, "topkroute_linear.0.bias": {16}, "topkroute_linear.1.weight": {experts, 16},
		"topkroute_linear.1.bias": {experts}, "noise_linear.weight": {experts, in}, "noise_linear.bias": {experts},
	} {
		add("lora_sparsemoe.router."+name, shape...)
	}
	keys := f.Width / f.Heads * f.Keys
	for l := range f.Layers {
		for _, p := range []struct {
			name    string
			out, in int
		}{
			{"self_attn.q_proj", f.Width, f.Width}, {"self_attn.k_proj", keys, f.Width}, {"self_attn.v_proj", keys, f.Width}, {"self_attn.o_proj", f.Width, f.Width},
			{"mlp.gate_proj", f.Inner, f.Width}, {"mlp.up_proj", f.Inner, f.Width}, {"mlp.down_proj", f.Width, f.Inner},
		} {
			for e := range experts {
				at := fmt.Sprintf("model.model.layers.%d.%s.lora_", l, p.name)
				add(fmt.Sprintf("%sA.%d.weight", at, e), f.rank, p.in)
				add(fmt.Sprintf("%sB.%d.weight", at, e), p.out, f.rank)
			}
		}
	}
	file, err := os.Create(filepath.Join(dir, "adapter_model.safetensors"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r, w := rand.New(rand.NewPCG(1, 2)), bufio.NewWriterSize(file, 1<<20)
	if err := loader.WriteFunc(w, list, nil, func(w io.Writer, t tensor.Tensor) error {
		v := make([]float32, t.Elements())
		for i := range v {
			v[i] = (r.Float32() - 0.5) / 8
		}
		return binary.Write(w, binary.LittleEndian, v)
	}); err != nil {
		return err
	}
	return w.Flush()
}

// strategy writes a strategy: layers leave from the middle, heads and neurons in a random order.
func (f family) strategy(dir string) error {
	s := subnet.Strategy{Depths: map[int]subnet.Depth{}, Widths: ratios, Group: f.Heads / f.Keys}
	for m := 1; m <= f.Layers/2; m++ {
		kept := make([]bool, f.Layers)
		for l := range kept {
			kept[l] = l < f.Layers/4 || l >= f.Layers/4+m
		}
		s.Depths[m] = subnet.Depth{Kept: kept}
	}
	r := rand.New(rand.NewPCG(3, 4))
	bias := func() (all [][]float32) {
		for range ratios {
			all = append(all, make([]float32, f.Width))
		}
		return all
	}
	for range f.Layers {
		heads, neurons := r.Perm(f.Keys), r.Perm(f.Inner)
		m := subnet.Masks{Out: bias(), Down: bias()}
		for _, w := range ratios {
			attention, mlp := make([]bool, f.Width), make([]bool, f.Inner)
			for i := range attention {
				attention[i] = float64(heads[i/(f.Width/f.Keys)]) < w*float64(f.Keys)
			}
			for i := range mlp {
				mlp[i] = float64(neurons[i]) < w*float64(f.Inner)
			}
			m.Attention, m.MLP = append(m.Attention, attention), append(m.MLP, mlp)
		}
		s.Layers = append(s.Layers, m)
	}
	data, err := s.JSON()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "strategy.json"), data, 0o644)
}
