package subnet_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

func file(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	return b
}

// load copies a checkpoint into memory.
func load(t testing.TB, dir string) memory {
	t.Helper()
	ck, err := loader.Open(dir)
	if err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	t.Cleanup(func() { ck.Close() })
	m := memory{ck.Config(), map[string]tensor.Tensor{}}
	for _, name := range ck.Names() {
		m.tensors[name], _ = ck.Tensor(name)
	}
	return m
}

// set returns a checkpoint with keys of its configuration replaced.
func (m memory) set(t testing.TB, keys map[string]any) memory {
	t.Helper()
	c := map[string]any{}
	if err := json.Unmarshal(m.config, &c); err != nil {
		t.Fatal(err)
	}
	for k, v := range keys {
		c[k] = v
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	m.config = b
	return m
}

// Layers are left out of any transformer: what remains is the model without them.
func TestDepthOnly(t *testing.T) {
	for _, name := range []string{"hf_llama", "hf_mistral", "hf_qwen2", "hf_qwen3", "hf_qwen3_yarn"} {
		whole := load(t, "../models/testdata/golden/"+name)
		var c struct {
			Layers int `json:"num_hidden_layers"`
		}
		if err := json.Unmarshal(whole.config, &c); err != nil {
			t.Fatal(err)
		}
		for out := range c.Layers {
			less := memory{whole.config, map[string]tensor.Tensor{}}.set(t, map[string]any{"num_hidden_layers": c.Layers - 1})
			kept := make([]bool, c.Layers)
			for n, w := range whole.tensors {
				var l int
				if k, _ := fmt.Sscanf(n, "model.layers.%d.", &l); k == 1 && l >= out {
					if l == out {
						continue
					}
					n = strings.Replace(n, fmt.Sprintf("layers.%d.", l), fmt.Sprintf("layers.%d.", l-1), 1)
				}
				less.tensors[n] = w
			}
			for l := range kept {
				kept[l] = l != out
			}
			f, err := subnet.New(whole, nil, &subnet.Strategy{Depths: map[int]subnet.Depth{1: {Kept: kept}}})
			if err != nil {
				t.Fatal(err)
			}
			want := computed(t, less, 0)
			of := fmt.Sprintf("%s without layer %d", name, out)
			same(t, of, computed(t, cut(t, f, fmt.Sprint(c.Layers-1), subnet.Options{}), 0), want)
			var listed []int
			for l := range kept {
				if kept[l] {
					listed = append(listed, l)
				}
			}
			s, err := f.Cut(subnet.Shape{Width: 1}, subnet.Options{Depth: listed})
			if err != nil {
				t.Fatal(err)
			}
			same(t, of+", listed", computed(t, s, 0), want)
		}
	}
}

// Sliding windows belong to layers: the types of those that are kept are kept.
func TestDepthKeepsTypes(t *testing.T) {
	m := load(t, "../models/testdata/golden/hf_qwen2").set(t, map[string]any{"use_sliding_window": true, "max_window_layers": 1})
	f, err := subnet.New(m, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Cut(subnet.Shape{Width: 1}, subnet.Options{Depth: []int{0, 2}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(s.Config()), `"layer_types":["full_attention","sliding_attention"]`) {
		t.Errorf("config.json: %s", s.Config())
	}
}

// adapterDir writes an adapter that is the golden's with a changed configuration and tensors.
func adapterDir(t testing.TB, edit func(config map[string]any, m memory)) string {
	t.Helper()
	m := load(t, goldens+"amoeba_tiny/adapter_model")
	config := map[string]any{}
	if err := json.Unmarshal(file(t, goldens+"amoeba_tiny/adapter_model/adapter_config.json"), &config); err != nil {
		t.Fatal(err)
	}
	edit(config, m)
	var list []tensor.Tensor
	for _, name := range m.Names() {
		w := m.tensors[name]
		w.Name = name
		list = append(list, w)
	}
	var weights bytes.Buffer
	if err := loader.Write(&weights, list, nil); err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	// The newest of a training run's directories is taken.
	dir := t.TempDir()
	for _, step := range []string{"checkpoint-20", "checkpoint-9", "checkpoint-x"} {
		sub := filepath.Join(dir, step, "adapter_model")
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if step != "checkpoint-20" {
			if err := os.WriteFile(filepath.Join(sub, "adapter_config.json"), []byte("{"), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for name, data := range map[string][]byte{"adapter_config.json": c, "adapter_model.safetensors": weights.Bytes()} {
			if err := os.WriteFile(filepath.Join(sub, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// openFamily opens the golden's base with an adapter, and its strategy if it is wanted.
func openFamily(t testing.TB, adapter string, strategy bool) (*subnet.Family, error) {
	t.Helper()
	base, err := loader.Open(goldens + "amoeba_tiny/base")
	if err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	t.Cleanup(func() { base.Close() })
	var a *subnet.Adapter
	if adapter != "" {
		if a, err = subnet.OpenAdapter(adapter); err != nil {
			return nil, err
		}
		t.Cleanup(func() { a.Close() })
	}
	var s *subnet.Strategy
	if strategy {
		if s, err = subnet.OpenStrategy(goldens + "amoeba_tiny"); err != nil {
			t.Fatal(err)
		}
	}
	return subnet.New(base, a, s)
}

// Every combination of the three parts is legal; what shapes there are follows from them.
func TestCombinations(t *testing.T) {
	adapter := goldens + "amoeba_tiny"
	for _, c := range []struct {
		adapter  string
		strategy bool
		shapes   int
		whole    string
	}{{"", false, 1, "6x1"}, {"", true, 16, "6x1"}, {adapter, false, 1, "6x1"}, {adapter, true, 16, "6x1"}} {
		f, err := openFamily(t, c.adapter, c.strategy)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Shapes(); len(got) != c.shapes || f.Whole().String() != c.whole {
			t.Errorf("%+v: shapes %v, whole %v", c, got, f.Whole())
		}
		computed(t, cut(t, f, "6", subnet.Options{}), 0)
	}
	// Without masks nothing is cut: at width 1 the strategy leaves a unit out, its absence does not.
	bare, _ := openFamily(t, "", false)
	base := computed(t, load(t, goldens+"amoeba_tiny/base"), 0)
	same(t, "no adapter, no strategy", computed(t, cut(t, bare, "6x1", subnet.Options{}), 0), base)
	masked, _ := openFamily(t, "", true)
	if d := distance(computed(t, cut(t, masked, "6x1", subnet.Options{}), 0), base); !(d > 1e-3) {
		t.Errorf("width 1 of the masks is %g from the base model", d)
	}
}

// An adapter without experts is one expert with the gate 1; projections that it leaves alone are so.
func TestPlainAdapter(t *testing.T) {
	dir := adapterDir(t, func(config map[string]any, m memory) {
		config["use_moe_lora"] = false
		for _, n := range m.Names() {
			w := m.tensors[n]
			delete(m.tensors, n)
			if plain, ok := strings.CutSuffix(n, ".2.weight"); ok && !strings.Contains(n, "k_proj") && !strings.Contains(n, "layers.3.mlp") {
				m.tensors[plain+".weight"] = w
			}
		}
	})
	plain, err := openFamily(t, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	mixture, err := openFamily(t, adapterDir(t, func(_ map[string]any, m memory) {
		for n, w := range m.tensors {
			if strings.Contains(n, "k_proj.lora_B") || strings.Contains(n, "layers.3.mlp") && strings.Contains(n, "lora_B") {
				w.Data = make([]byte, len(w.Data))
				m.tensors[n] = w
			}
		}
	}), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, factored := range []bool{false, true} {
		for _, shape := range []string{"6x1", "4x0.75", "3x0.625"} {
			got := computed(t, cut(t, plain, shape, subnet.Options{Factored: factored}), 0)
			want := computed(t, cut(t, mixture, shape, subnet.Options{Factored: factored, Gates: []float32{0, 0, 1, 0, 0}}), 0)
			same(t, shape, got, want)
		}
	}
}

// Matrices that an adapter brings anew take the place of the base's, with a row for a new token.
func TestReplacedEmbeddings(t *testing.T) {
	base := load(t, goldens+"amoeba_tiny/base")
	dir := adapterDir(t, func(_ map[string]any, m memory) {
		for _, n := range []string{"model.embed_tokens.weight", "lm_head.weight"} {
			w := base.tensors[n]
			w.Shape, w.Data = []int{98, 64}, append(slices.Clone(w.Data), make([]byte, 64*4)...)
			m.tensors["base_model.model."+n] = w
		}
	})
	f, err := openFamily(t, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := openFamily(t, goldens+"amoeba_tiny", true)
	if err != nil {
		t.Fatal(err)
	}
	got, want := computed(t, cut(t, f, "4x0.75", subnet.Options{}), 0), computed(t, cut(t, plain, "4x0.75", subnet.Options{}), 0)
	if len(got) != 98*len(prompt) {
		t.Fatalf("%d logits", len(got))
	}
	for i := range prompt {
		same(t, "row", got[i*98:i*98+97], want[i*97:(i+1)*97])
	}
}

// Masks that are not nested, and layers without any head or neuron.
func TestOddMasks(t *testing.T) {
	base := load(t, goldens+"amoeba_select/model")
	read := func() *subnet.Strategy {
		s, err := subnet.OpenStrategy(goldens + "amoeba_select/dp_selection_strategy.npy")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := read()
	for i := range s.Widths { // layer 1 keeps other heads and neurons at each width, and layer 3 none at the smallest
		for c := range s.Layers[1].Attention[i] {
			s.Layers[1].Attention[i][c] = c/8 == i
		}
		for c := range s.Layers[1].MLP[i] {
			s.Layers[1].MLP[i][c] = c%5 == i
		}
	}
	last := len(s.Widths) - 1
	clear(s.Layers[3].Attention[last])
	clear(s.Layers[3].MLP[last])
	f, err := subnet.New(base, nil, s)
	if err != nil {
		t.Fatal(err)
	}
	shared := new(subnet.Weights)
	defer shared.Free()
	for _, shape := range f.Shapes() {
		sub := cut(t, f, shape.String(), subnet.Options{})
		want := computed(t, masked(t, base, sub, s), 0)
		got := computed(t, sub, 0)
		same(t, shape.String()+" of shared weights", computed(t, cut(t, f, shape.String(), subnet.Options{Weights: shared}), 0), got)
		// The same sums in another order, through seven layers: golden logits of this model agree within 1e-5.
		if d := distance(got, want); !(d <= 2e-5) {
			t.Errorf("%v: cut and masked are %g apart", shape, d)
		}
	}
}

// masked is a subnet as the reference computes it: outputs of heads and neurons that are dropped are
// zero, as columns of what follows.
func masked(t testing.TB, base memory, s *subnet.Subnet, strategy *subnet.Strategy) memory {
	t.Helper()
	width := slices.Index(strategy.Widths, s.Shape.Width)
	full := func(n int) (list []int) {
		for range s.Layers {
			list = append(list, n)
		}
		return list
	}
	m := memory{base.config, map[string]tensor.Tensor{}}.set(t, map[string]any{
		"num_hidden_layers": len(s.Layers), "num_attention_heads_list": full(5), "num_key_value_heads_list": full(5), "intermediate_size_list": full(56),
	})
	for n, w := range base.tensors {
		if !strings.HasPrefix(n, "model.layers.") {
			m.tensors[n] = w
		}
	}
	for i, l := range s.Layers {
		masks := strategy.Layers[l.Index]
		from, to := fmt.Sprintf("model.layers.%d.", l.Index), fmt.Sprintf("model.layers.%d.", i)
		for n, w := range base.tensors {
			if rest, ok := strings.CutPrefix(n, from); ok {
				switch rest {
				case "self_attn.o_proj.weight":
					w = zeroed(w, masks.Attention[width])
				case "mlp.down_proj.weight":
					w = zeroed(w, masks.MLP[width])
				}
				m.tensors[to+rest] = w
			}
		}
		m.tensors[to+"self_attn.o_proj.bias"] = f32("", masks.Out[width], 40)
		m.tensors[to+"mlp.down_proj.bias"] = f32("", masks.Down[width], 40)
	}
	return m
}

// zeroed returns a matrix with the columns of dropped channels zero.
func zeroed(w tensor.Tensor, kept []bool) tensor.Tensor {
	w.Data = slices.Clone(w.Data)
	for i := range w.Elements() {
		if !kept[i%len(kept)] {
			clear(w.Data[4*i : 4*i+4])
		}
	}
	return w
}

// What does not fit is an error that tells what there is.
func TestRefuses(t *testing.T) {
	adapter := goldens + "amoeba_tiny"
	for _, c := range []struct {
		adapter  string
		strategy bool
		shape    string
		opts     subnet.Options
		want     string
	}{
		{"", true, "2x1", subnet.Options{}, "there is no shape 2x1: depths are 6, 5, 4, 3, widths 1, 0.875, 0.75, 0.625; the nearest shape is 3x1"},
		{"", true, "4x0.7", subnet.Options{}, "the nearest shape is 4x0.75"},
		{"", true, "9x0.1", subnet.Options{}, "the nearest shape is 6x0.625"},
		{"", false, "5x1", subnet.Options{}, "depths are 6, widths 1 (there is no strategy); the nearest shape is 6x1"},
		{"", false, "6x1", subnet.Options{Gates: []float32{1}}, "found gates, but there is no adapter"},
		{adapter, true, "6x1", subnet.Options{Gates: []float32{1}}, "found 1 gates, expected one for each of 5 experts"},
		{adapter, true, "6x1", subnet.Options{Weights: new(subnet.Weights)}, "keep them factored"},
		{adapter, true, "6x1", subnet.Options{Format: tensor.FormatQ8}, "keep them factored"},
		{"", true, "6x1", subnet.Options{Depth: []int{1, 1}}, "layer 1 is listed twice"},
		{"", true, "6x1", subnet.Options{Depth: []int{6}}, "not one of the model's 6"},
		{"", true, "6x1", subnet.Options{Depth: []int{}}, "empty list"},
	} {
		f, err := openFamily(t, c.adapter, c.strategy)
		if err != nil {
			t.Fatal(err)
		}
		shape, err := subnet.ParseShape(c.shape)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Cut(shape, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.shape, err, c.want)
		}
	}
	for want, edit := range map[string]func(config map[string]any, m memory){
		"peft_type: found \"IA3\"":    func(c map[string]any, _ memory) { c["peft_type"] = "IA3" },
		"lora_alpha":                  func(c map[string]any, _ memory) { c["lora_alpha"] = -1 },
		"use_dora":                    func(c map[string]any, _ memory) { c["use_dora"] = true },
		"top_k: found 6":              func(c map[string]any, _ memory) { c["top_k"] = 6 },
		"width_choice":                func(c map[string]any, _ memory) { c["width_choice"] = "__import__('os').system('id')" },
		"the router takes 10 numbers": func(c map[string]any, _ memory) { c["width_choice"] = "[1,7/8]" },
		"topkroute_linear.0.weight": func(_ map[string]any, m memory) {
			delete(m.tensors, "base_model.lora_sparsemoe.router.topkroute_linear.0.weight")
		},
		"q_proj.lora_A.3.weight: missing": func(_ map[string]any, m memory) {
			delete(m.tensors, "base_model.model.model.layers.2.self_attn.q_proj.lora_A.3.weight")
		},
		"want floats [8 64]": func(c map[string]any, m memory) {
			m.tensors["base_model.model.model.layers.2.self_attn.q_proj.lora_A.3.weight"] = f32("", make([]float32, 64), 1, 64)
		},
		"not part of an adapter": func(_ map[string]any, m memory) { m.tensors["base_model.model.x"] = f32("", []float32{1}, 1) },
		"has a correction of mlp.x_proj": func(_ map[string]any, m memory) {
			m.tensors["base_model.model.model.layers.2.mlp.x_proj.lora_A.0.weight"] = f32("", []float32{1}, 1)
		},
	} {
		if _, err := openFamily(t, adapterDir(t, edit), true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Masks are for the ratios that they are for; the reference's selection writes 0.8, 0.65 and 0.5, which its
// own evaluation and adapters do not ask for.
func TestRatios(t *testing.T) {
	s, err := subnet.OpenStrategy(goldens + "amoeba_select/dp_selection_strategy.npy")
	if err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	base := load(t, goldens+"amoeba_select/model")
	s.Widths = []float64{0.8, 0.65, 0.5, 0.4, 0.3}
	f, err := subnet.New(base, nil, s)
	if err != nil {
		t.Fatal(err)
	}
	computed(t, cut(t, f, "6x0.65", subnet.Options{}), 0)
	if _, err := f.Cut(subnet.Shape{Depth: 7, Width: 1}, subnet.Options{}); err == nil || !strings.Contains(err.Error(), "widths 0.8, 0.65, 0.5, 0.4, 0.3; the nearest shape is 7x0.8") {
		t.Errorf("width 1: %v", err)
	}
	if f.Whole().String() != "7x0.8" {
		t.Errorf("the largest shape is %v", f.Whole())
	}
}

// A strategy that is another model's is refused.
func TestOtherModelsStrategy(t *testing.T) {
	base := load(t, goldens+"amoeba_tiny/base")
	for path, want := range map[string]string{
		goldens + "amoeba_select/dp_selection_strategy.npy": "found masks for 7 layers, expected 6",
		"testdata/amoeballm/final_strategy.npy":             "the model has 6",
	} {
		s, err := subnet.OpenStrategy(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := subnet.New(base, nil, s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err := subnet.New(load(t, "../models/testdata/golden/zoo_mamba"), nil, nil); err == nil || !strings.Contains(err.Error(), "those that have are llama, mistral, qwen2, qwen3") {
		t.Errorf("a Mamba: %v", err)
	}
	sliced := exported(t, cut(t, must(openFamily(t, "", true)), "4x0.75", subnet.Options{}))
	if _, err := subnet.New(sliced, nil, nil); err == nil || !strings.Contains(err.Error(), "is a subnet already") {
		t.Errorf("a subnet of a subnet: %v", err)
	}
	if _, err := models.New(sliced.set(t, map[string]any{"model_type": "internlm2"}), models.Options{}); err == nil || !strings.Contains(err.Error(), "_list") {
		t.Errorf("lists of sizes of another architecture: %v", err)
	}
}

func must(f *subnet.Family, err error) *subnet.Family {
	if err != nil {
		panic(err)
	}
	return f
}
