package golden

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/diffusion/net"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// NetworkNames are the names of the networks of a directory: a file NAME.safetensors with inputs and outputs beside
// the weights, perhaps continued in NAME.2.safetensors and so on, with NAME.blocks.safetensors; or a folder of a text encoder with
// cases.json.
func NetworkNames(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			_, cases := os.Stat(filepath.Join(dir, name, "cases.json"))
			_, weights := os.Stat(filepath.Join(dir, name, "model.safetensors"))
			if cases == nil && weights == nil {
				names = append(names, name)
			}
		} else if stem, ok := strings.CutSuffix(name, ".safetensors"); ok && !strings.Contains(stem, ".") {
			names = append(names, name)
		}
	}
	return names, nil
}

// networkTolerance is what a network in float32 may err, relative to the root mean square of a tensor: ten times what
// the reference itself errs in float32. Blocks are held to the same.
const networkTolerance = 2e-5

// Network runs one network of a directory and compares blocks, in the order in which they were computed, and outputs.
func Network(dir, name string, o net.Options) ([]Result, error) {
	if strings.HasSuffix(name, ".safetensors") {
		return networkFile(filepath.Join(dir, name), "", o)
	}
	return textEncoder(filepath.Join(dir, name), o)
}

// NetworkOn runs the network of a golden file on the inputs of another file, and compares with the outputs there.
func NetworkOn(path, inputs string, o net.Options) ([]Result, error) {
	return networkFile(path, inputs, o)
}

// NetworkSource is the weights of a golden file as a checkpoint, and the tensors beside them.
type NetworkSource struct {
	Class string // of the network

	parts  []*loader.Checkpoint
	config []byte
}

// OpenNetwork opens the golden file of a network and what continues it.
func OpenNetwork(path string) (*NetworkSource, error) {
	file, err := loader.OpenFile(path)
	if err != nil {
		return nil, err
	}
	s := &NetworkSource{parts: []*loader.Checkpoint{file}}
	config, _ := file.Metadata("config")
	s.config = []byte(config)
	s.Class, _ = file.Metadata("class")
	for i := 2; ; i++ {
		more, err := loader.OpenFile(fmt.Sprintf("%s.%d.safetensors", strings.TrimSuffix(path, ".safetensors"), i))
		if err != nil {
			return s, nil
		}
		s.parts = append(s.parts, more)
	}
}

// Close releases the files.
func (s *NetworkSource) Close() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// Config returns the configuration that the file's metadata hold.
func (s *NetworkSource) Config() []byte { return s.config }

// Tensor returns a weight.
func (s *NetworkSource) Tensor(name string) (tensor.Tensor, bool) {
	t, ok := s.Other("w." + name)
	t.Name = name
	return t, ok
}

// Other returns an input or an output.
func (s *NetworkSource) Other(name string) (tensor.Tensor, bool) {
	for _, p := range s.parts {
		if t, ok := p.Tensor(name); ok {
			return t, true
		}
	}
	return tensor.Tensor{}, false
}

// Names returns the names of the weights.
func (s *NetworkSource) Names() (names []string) {
	for _, p := range s.parts {
		for _, n := range p.Names() {
			if n, ok := strings.CutPrefix(n, "w."); ok {
				names = append(names, n)
			}
		}
	}
	return names
}

// networkRun is a network on the inputs of a file.
type networkRun struct {
	name    string
	file    func(name string) (tensor.Tensor, bool) // inputs and outputs
	blocks  *loader.Checkpoint                      // nil without
	pass    *net.Pass
	results []Result
	err     error
}

func networkFile(path, inputs string, o net.Options) ([]Result, error) {
	file, err := OpenNetwork(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	g := &networkRun{name: strings.TrimSuffix(filepath.Base(path), ".safetensors"), file: file.Other}
	if inputs != "" {
		other, err := loader.OpenFile(inputs)
		if err != nil {
			return nil, err
		}
		defer other.Close()
		g.file = other.Tensor
	} else if blocks, err := loader.OpenFile(strings.TrimSuffix(path, ".safetensors") + ".blocks.safetensors"); err == nil {
		g.blocks = blocks
		defer blocks.Close()
	}
	g.pass = &net.Pass{WS: &tensor.Workspace{Pool: o.Pool}, Finite: true, Block: g.block}
	run := map[string]func(net.Checkpoint, net.Options) error{
		"UNet2DModel": g.unet2D, "UNet2DConditionModel": g.condition, "DiTTransformer2DModel": g.dit, "AutoencoderKL": g.vae, "AutoencoderTiny": g.taesd,
	}[file.Class]
	if run == nil {
		return nil, fmt.Errorf("golden: %s: class %q is unknown", path, file.Class)
	}
	if err := run(file, o); err != nil {
		return nil, fmt.Errorf("golden: %s: %w", path, err)
	}
	return g.results, g.err
}

// values returns a tensor of the file as floats, and its shape.
func (g *networkRun) values(name string) ([]float32, []int) {
	t, ok := g.file(name)
	if !ok {
		g.err = fmt.Errorf("golden: %s: no tensor %q", g.name, name)
		return nil, []int{0, 0, 0, 0}
	}
	v := make([]float32, t.Elements())
	t.Floats(v, 0)
	return v, t.Shape
}

// block compares what a block gave for the first sample.
func (g *networkRun) block(name string, out nn.Image) {
	if g.blocks == nil {
		return
	}
	t, ok := g.blocks.Tensor(name)
	if !ok {
		return
	}
	want := doubles(t)
	got := make([]float32, 0, len(want))
	first := out.Sample(0)
	if len(t.Shape) == 4 { // channels, then pixels
		for c := range out.Cols {
			for p := range first.Rows {
				got = append(got, first.Row(p)[c])
			}
		}
	} else {
		for p := range first.Rows {
			got = append(got, first.Row(p)...)
		}
	}
	g.results = append(g.results, compareNetwork(g.name, name, got, want))
}

// output compares an output with what the file has under a name.
func (g *networkRun) output(name string, got []float32) {
	t, ok := g.file(name)
	if !ok {
		g.err = fmt.Errorf("golden: %s: no tensor %q", g.name, name)
		return
	}
	g.results = append(g.results, compareNetwork(g.name, name, got, doubles(t)))
}

// doubles decodes a tensor of F64 or F32.
func doubles(t tensor.Tensor) []float64 {
	v := make([]float64, t.Elements())
	if t.Type == tensor.F64 {
		for i := range v {
			v[i] = math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:]))
		}
		return v
	}
	f := make([]float32, len(v))
	t.Floats(f, 0)
	for i, x := range f {
		v[i] = float64(x)
	}
	return v
}

func compareNetwork(file, name string, got []float32, want []float64) Result {
	r := Result{Case: file, Tensor: name, Of: name}
	if len(got) != len(want) {
		r.Note = fmt.Sprintf("%d elements, want %d", len(got), len(want))
		return r
	}
	var squares float64
	for i, w := range want {
		squares += w * w
		if e := math.Abs(float64(got[i]) - w); !(e <= r.MaxError) {
			r.MaxError = e
		}
	}
	r.Bound = networkTolerance * math.Sqrt(squares/float64(len(want)))
	return r
}

// doubles returns a tensor of the file.
func (g *networkRun) doubles(name string) []float64 {
	v, _ := g.values(name)
	d := make([]float64, len(v))
	for i, x := range v {
		d[i] = float64(x)
	}
	return d
}

// times returns in.t.
func (g *networkRun) times() []float64 { return g.doubles("in.t") }

// classes returns in.y as classes, nil if there is none.
func (g *networkRun) classes() (class []int32) {
	if _, ok := g.file("in.y"); !ok {
		return nil
	}
	v, _ := g.values("in.y")
	for _, x := range v {
		class = append(class, int32(x))
	}
	return class
}

func (g *networkRun) unet2D(ck net.Checkpoint, o net.Options) error {
	u, err := net.NewUNet2D(ck, o)
	if err != nil {
		return err
	}
	defer u.Close()
	x, s := g.values("in.x")
	y := make([]float32, s[0]*u.Out*s[2]*s[3])
	if err := u.Forward(y, x, s[0], s[2], s[3], g.times(), g.classes(), g.pass); err != nil {
		return err
	}
	g.output("out.y", y)
	return nil
}

func (g *networkRun) condition(ck net.Checkpoint, o net.Options) error {
	u, err := net.NewUNet2DCondition(ck, o)
	if err != nil {
		return err
	}
	defer u.Close()
	text, c := g.values("in.ctx")
	ctx, err := u.Context(tensor.Mat{Rows: c[0] * c[1], Cols: c[2], Stride: c[2], Data: text}, c[0], g.pass)
	if err != nil {
		return err
	}
	x, s := g.values("in.x")
	y := make([]float32, s[0]*u.Out*s[2]*s[3])
	var scales []float64
	if u.GuidanceDim > 0 {
		scales = g.doubles("in.scale")
	}
	if err := u.Forward(y, x, s[0], s[2], s[3], g.times(), ctx, scales, g.pass); err != nil {
		return err
	}
	g.output("out.y", y)
	return nil
}

func (g *networkRun) dit(ck net.Checkpoint, o net.Options) error {
	d, err := net.NewDiT(ck, o)
	if err != nil {
		return err
	}
	defer d.Close()
	x, s := g.values("in.x")
	y := make([]float32, s[0]*d.Out*s[2]*s[3])
	if err := d.Forward(y, x, s[0], s[2], g.times(), g.classes(), g.pass); err != nil {
		return err
	}
	g.output("out.y", y)
	return nil
}

func (g *networkRun) vae(ck net.Checkpoint, o net.Options) error {
	v, err := net.NewVAE(ck, o)
	if err != nil {
		return err
	}
	defer v.Close()
	x, s := g.values("in.img")
	moments := make([]float32, s[0]*2*v.Latent*s[2]/v.Factor*s[3]/v.Factor)
	if err := v.Encode(moments, x, s[0], s[2], s[3], g.pass); err != nil {
		return err
	}
	g.output("out.moments", moments)
	z, s := g.values("in.z")
	y := make([]float32, s[0]*v.Out*s[2]*v.Factor*s[3]*v.Factor)
	if err := v.Decode(y, z, s[0], s[2], s[3], g.pass); err != nil {
		return err
	}
	g.output("out.dec", y)
	return nil
}

func (g *networkRun) taesd(ck net.Checkpoint, o net.Options) error {
	a, err := net.NewTAESD(ck, o)
	if err != nil {
		return err
	}
	defer a.Close()
	x, s := g.values("in.img")
	lat := make([]float32, s[0]*a.Latent*s[2]/a.Factor*s[3]/a.Factor)
	if err := a.Encode(lat, x, s[0], s[2], s[3], g.pass); err != nil {
		return err
	}
	g.output("out.lat", lat)
	z, s := g.values("in.z")
	y := make([]float32, s[0]*a.Out*s[2]*a.Factor*s[3]*a.Factor)
	if err := a.Decode(y, z, s[0], s[2], s[3], g.pass); err != nil {
		return err
	}
	g.output("out.dec", y)
	return nil
}

// textEncoder runs a CLIP text encoder's cases: the residual stream before and after every layer, the outputs, and the
// pooled row.
func textEncoder(dir string, o net.Options) ([]Result, error) {
	var cases struct {
		IDs map[string][]int32 `json:"input_ids"`
	}
	raw, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		return nil, fmt.Errorf("golden: %s: %w", dir, err)
	}
	ck, err := loader.Open(dir)
	if err != nil {
		return nil, err
	}
	defer ck.Close()
	c, err := net.NewCLIPText(ck, o)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	want, err := loader.OpenFile(filepath.Join(dir, "want.safetensors"))
	if err != nil {
		return nil, err
	}
	defer want.Close()
	var names []string
	for n := range cases.IDs {
		names = append(names, n)
	}
	slices.Sort(names)
	g := &networkRun{file: want.Tensor}
	for _, name := range names {
		g.name = filepath.Base(dir) + " " + name
		if err := g.encode(c, name, cases.IDs[name], o); err != nil {
			return nil, err
		}
	}
	return g.results, g.err
}

// encode runs one text, whole, and without its last layer.
func (g *networkRun) encode(c *net.CLIPText, name string, ids []int32, o net.Options) error {
	p := &net.Pass{WS: &tensor.Workspace{Pool: o.Pool}, Finite: true}
	p.Block = func(block string, out nn.Image) {
		var rows []float32
		for i := range out.Rows {
			rows = append(rows, out.Row(i)...)
		}
		g.output(name+"."+block, rows)
	}
	text, err := c.Encode(ids, 0, false, p)
	if err != nil {
		return err
	}
	g.output(name+".last_hidden_state", text.Hidden.Data)
	g.output(name+".pooled", text.Pooled)
	p.Block = nil
	if text, err = c.Encode(ids, 1, false, p); err != nil {
		return err
	}
	g.output(name+".skip1", text.Hidden.Data)
	return nil
}
