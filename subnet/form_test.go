package subnet_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mminfer/mminfer/internal/cputime"
	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// memory is a checkpoint in memory.
type memory struct {
	config  []byte
	tensors map[string]tensor.Tensor
}

func (m memory) Config() []byte  { return m.config }
func (m memory) Names() []string { return slices.Sorted(maps.Keys(m.tensors)) }
func (m memory) Tensor(name string) (tensor.Tensor, bool) {
	t, ok := m.tensors[name]
	return t, ok
}

// exported is a subnet written to memory as a directory would hold it.
func exported(t testing.TB, s *subnet.Subnet) memory {
	t.Helper()
	m := memory{s.Config(), map[string]tensor.Tensor{}}
	for _, name := range s.Names() {
		m.tensors[name], _ = s.Data(name, nil)
	}
	return m
}

// prompt is some tokens of the vocabularies of all goldens here.
var prompt = []int32{53, 38, 17, 38, 17, 56, 45, 26, 46, 45, 6, 17, 30, 3}

// computed returns the logits of the prompt.
func computed(t testing.TB, ck models.Checkpoint, format tensor.Format) []float32 {
	t.Helper()
	m, err := models.New(ck, models.Options{Format: format})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	return run(t, m)
}

func run(t testing.TB, m *models.Model) []float32 {
	t.Helper()
	b := models.Batch{Seqs: []models.Seq{{IDs: prompt, State: m.NewState(), Want: models.WantAll}}}
	if err := m.Forward(&b, new(tensor.Workspace)); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b.Logits.Data[:len(prompt)*m.Vocab])
}

// cut cuts a subnet.
func cut(t testing.TB, f *subnet.Family, shape string, opts subnet.Options) *subnet.Subnet {
	t.Helper()
	s, err := subnet.ParseShape(shape)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := f.Cut(s, opts)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// distance is the largest difference of two lists.
func distance(a, b []float32) (d float64) {
	for i := range a {
		if e := math.Abs(float64(a[i]) - float64(b[i])); !(e <= d) {
			d = e
		}
	}
	return d
}

// What a shape computes does not depend on how it came about: cut from the files, from weights that
// shapes share, before and after other shapes, or written and read back.
func TestForms(t *testing.T) {
	for _, name := range []string{"amoeba_tiny", "amoeba_select"} {
		_, family := openSuite(t, name)
		for _, format := range []tensor.Format{tensor.FormatAuto, tensor.FormatBF16, tensor.FormatBF16Dot, tensor.FormatQ8, tensor.FormatQ4L} {
			shared := new(subnet.Weights)
			first := map[string][]float32{}
			shapes := family.Shapes()
			for _, shape := range append(shapes, shapes...) {
				opts := subnet.Options{Format: format, Factored: true}
				of := fmt.Sprintf("%s, %v, %v", name, format, shape)
				if first[shape.String()] == nil {
					first[shape.String()] = computed(t, cut(t, family.Family, shape.String(), opts), format)
				}
				opts.Weights = shared
				same(t, of+" of shared weights", computed(t, cut(t, family.Family, shape.String(), opts), format), first[shape.String()])
			}
			for _, shape := range shapes {
				if name == "amoeba_tiny" && family.Quantised(format) {
					continue // corrections are kept apart
				}
				s := cut(t, family.Family, shape.String(), subnet.Options{Format: format})
				same(t, fmt.Sprintf("%s, %v, %v written", name, format, shape), computed(t, exported(t, s), format), computed(t, s, format))
			}
			shared.Free()
		}
	}
}

// Every width of the goldens is the beginning of the shared weights, which then are all that there is.
func TestSharedMemory(t *testing.T) {
	_, family := openSuite(t, "amoeba_select")
	shared := new(subnet.Weights)
	defer shared.Free()
	embedding := int64(61 * 40 * 4)
	for i, shape := range family.Shapes() {
		before := shared.Bytes()
		m, err := models.New(cut(t, family.Family, shape.String(), subnet.Options{Weights: shared}), models.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if m.WeightBytes() != embedding || i > 0 && shared.Bytes() != before {
			t.Errorf("%v: %d bytes of its own, the embedding has %d; shared were %d, are %d", shape, m.WeightBytes(), embedding, before, shared.Bytes())
		}
		m.Close()
	}
}

// A sliced checkpoint goes through a file.
func TestWritten(t *testing.T) {
	_, family := openSuite(t, "amoeba_tiny")
	s := cut(t, family.Family, "4x0.625", subnet.Options{})
	m := exported(t, s)
	var list []tensor.Tensor
	for _, name := range m.Names() {
		list = append(list, m.tensors[name])
	}
	var file bytes.Buffer
	if err := loader.Write(&file, list, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"num_attention_heads_list":[2,0,1,4]`, `"intermediate_size_list":[59,79,96,58]`, `"num_hidden_layers":4`, `"head_dim":16`} {
		if !strings.Contains(string(s.Config()), want) {
			t.Errorf("config.json has no %s: %s", want, s.Config())
		}
	}
	if _, ok := m.tensors["model.layers.1.self_attn.q_proj.weight"]; ok {
		t.Error("an attention without heads has queries")
	}
	if b := m.tensors["model.layers.1.self_attn.o_proj.bias"]; !slices.Equal(b.Shape, []int{64}) {
		t.Errorf("bias of an attention without heads: %v", b)
	}
}

// Corrections in the weights and apart are the same but for rounding. A row of W + B·A, n = len(x) columns
// and rank r, errs in float32 by no more than (n+r+2)·2⁻²⁴ of the sum of its terms' sizes in either
// form; so the two are within twice that.
func TestMergedIsFactored(t *testing.T) {
	suite, family := openSuite(t, "amoeba_tiny")
	for _, c := range suite.Cases {
		merged := cut(t, family.Family, c.Shape, subnet.Options{Gates: c.Gates})
		factored := cut(t, family.Family, c.Shape, subnet.Options{Gates: c.Gates, Factored: true})
		for _, name := range factored.Names() {
			p, ok := strings.CutSuffix(name, ".low_rank_a")
			if !ok {
				continue
			}
			w, a, b, sum := floats(t, factored, p+".weight"), floats(t, factored, name), floats(t, factored, p+".low_rank_b"), floats(t, merged, p+".weight")
			shape, _ := factored.Tensor(name)
			r, n := shape.Shape[0], shape.Shape[1]
			for i := range len(w) / n {
				var one, other, size float64
				for k := range n {
					x := float64(k%7-3) / 4
					delta, terms := 0.0, 0.0
					for j := range r {
						v := float64(b[i*r+j]) * float64(a[j*n+k])
						delta, terms = delta+v, terms+math.Abs(v)
					}
					one += float64(sum[i*n+k]) * x
					other += (float64(w[i*n+k]) + delta) * x
					size += (math.Abs(float64(w[i*n+k])) + terms) * math.Abs(x)
				}
				if bound := float64(r+2) * size / (1 << 24); !(math.Abs(one-other) <= bound) {
					t.Fatalf("%s %s: row %d: merged %v, factored %v, bound %g", c.Name, p, i, one, other, bound)
				}
			}
		}
		// Each errs by no more than the reference does in float32, an eighth of the golden's bound.
		if d, bound := distance(computed(t, merged, 0), computed(t, factored, 0)), 2*c.Want[0].Bound/8; !(d <= bound) {
			t.Errorf("%s: logits merged and factored are %g apart, bound %g", c.Name, d, bound)
		}
	}
}

func floats(t testing.TB, s *subnet.Subnet, name string) []float32 {
	t.Helper()
	d, ok := s.Data(name, nil)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	v := make([]float32, d.Elements())
	d.Floats(v, 0)
	return v
}

// Mixing experts before multiplying is not the sum of their products.
func TestMixedFirst(t *testing.T) {
	_, family := openSuite(t, "amoeba_tiny")
	const name = "model.layers.0.self_attn.q_proj.weight"
	delta := func(gates ...float32) []float32 {
		d, w := floats(t, cut(t, family.Family, "6x1", subnet.Options{Gates: gates}), name), floats(t, cut(t, family.Family, "6x1", subnet.Options{Gates: make([]float32, 5)}), name)
		for i := range d {
			d[i] -= w[i]
		}
		return d
	}
	both, one, other := delta(0.5, 0.5, 0, 0, 0), delta(1, 0, 0, 0, 0), delta(0, 1, 0, 0, 0)
	var most, usual float64
	for i := range both {
		usual = max(usual, math.Abs(float64(both[i])-0.5*float64(one[i])-0.5*float64(other[i])))
		most = max(most, math.Abs(float64(both[i])))
	}
	if !(usual > most/10) {
		t.Errorf("the sum of products is within %g of the product of sums, whose largest entry is %g", usual, most)
	}
}

// The gates are those that the golden's generator computed without noise.
func TestGates(t *testing.T) {
	_, family := openSuite(t, "amoeba_tiny")
	for _, c := range goldenGates(t) {
		shape := fmt.Sprintf("%dx%v", c.Depth, c.Width)
		s := cut(t, family.Family, shape, subnet.Options{})
		// The golden's own evaluation agrees with the generator's within 1.1e-7.
		if d := distance(s.Gates, c.Gates); len(s.Gates) != len(c.Gates) || !(d <= 2.2e-7) {
			t.Errorf("%s: gates %v, want %v", shape, s.Gates, c.Gates)
		}
		seed := uint64(7)
		drawn := cut(t, family.Family, shape, subnet.Options{GateSeed: &seed})
		again := cut(t, family.Family, shape, subnet.Options{GateSeed: &seed})
		same(t, "gates of one seed", drawn.Gates, again.Gates)
		chosen, sum := 0, 0.0
		for _, g := range drawn.Gates {
			if sum += float64(g); g != 0 {
				chosen++
			}
		}
		if chosen != 2 || !(math.Abs(sum-1) <= 1e-6) || slices.Equal(drawn.Gates, s.Gates) {
			t.Errorf("%s: gates %v of a seed, %v without", shape, drawn.Gates, s.Gates)
		}
	}
}

type goldenGate struct {
	Depth int
	Width float64
	Gates []float32 `json:"gates_no_noise"`
}

func goldenGates(t testing.TB) (cases []goldenGate) {
	t.Helper()
	if err := json.Unmarshal(file(t, goldens+"amoeba_tiny/cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// A change of shape takes a few milliseconds, most of them for reading the golden's factors.
func TestReshapeTime(t *testing.T) {
	_, family := openSuite(t, "amoeba_tiny")
	shared := new(subnet.Weights)
	defer shared.Free()
	least := time.Hour
	for i := range 12 {
		before := cputime.Thread()
		m, err := models.New(cut(t, family.Family, []string{"6x1", "3x0.625"}[i%2], subnet.Options{Factored: true, Weights: shared}), models.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if took := cputime.Thread() - before; i > 0 {
			least = min(least, took)
		}
		m.Close()
	}
	if limit := 10 * time.Millisecond; least > limit*slowdown {
		t.Errorf("the fastest of 11 changes took %v, want at most %v", least, limit)
	}
}

// Decoding with factors and parts of shared weights allocates nothing.
func TestDecodeAllocatesNothing(t *testing.T) {
	_, family := openSuite(t, "amoeba_tiny")
	shared := new(subnet.Weights)
	defer shared.Free()
	m, err := models.New(cut(t, family.Family, "5x0.625", subnet.Options{Factored: true, Weights: shared}), models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	state, ws := m.NewState(), new(tensor.Workspace)
	state.Reserve(200)
	b := models.Batch{Seqs: []models.Seq{{IDs: prompt[:1], State: state, Want: models.WantAll}}}
	step := func() {
		if err := m.Forward(&b, ws); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		step()
	}
	if n := testing.AllocsPerRun(50, step); n != 0 {
		t.Errorf("%v allocations a token", n)
	}
	// The cache holds keys of the heads that are kept: 2, 3, 0, 1 and 4 of 16 numbers and as many values
	// in panels of 16, at width 0.625 in the layers of depth 5.
	s := cut(t, family.Family, "5x0.625", subnet.Options{})
	heads := 0
	for _, l := range s.Layers {
		heads += len(l.Heads)
	}
	if got, want := m.BytesPerToken(), heads*32*4; got != want {
		t.Errorf("%d bytes a token, want %d of %d heads", got, want, heads)
	}
}

// Fed whole or in parts, in every form: see TestGolden. Here with threads at once.
func TestConcurrentShapes(t *testing.T) {
	_, family := openSuite(t, "amoeba_tiny")
	shared := new(subnet.Weights)
	defer shared.Free()
	pool := tensor.NewPool(4)
	defer pool.Close()
	shapes := []string{"6x1", "3x0.625", "5x0.875", "4x0.75"}
	var want [4][]float32
	for i, s := range shapes {
		want[i] = computed(t, cut(t, family.Family, s, subnet.Options{Factored: true}), 0)
	}
	task := &concurrent{t, family, shared, shapes, make([][]float32, 8)}
	pool.Run(8, task)
	for i, got := range task.got {
		same(t, shapes[i%4], got, want[i%4])
	}
}

// concurrent is a task of making and running shapes.
type concurrent struct {
	t      *testing.T
	family *golden.Subnets
	shared *subnet.Weights
	shapes []string
	got    [][]float32
}

func (c *concurrent) Do(i int) {
	c.got[i] = computed(c.t, cut(c.t, c.family.Family, c.shapes[i%4], subnet.Options{Factored: true, Weights: c.shared}), 0)
}

// f32 is a tensor of numbers.
func f32(name string, v []float32, shape ...int) tensor.Tensor {
	t := tensor.Tensor{Name: name, Type: tensor.F32, Shape: shape}
	for _, x := range v {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(x))
	}
	return t
}
