package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mminfer/mminfer/diffusion/pipeline"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tensor"
	"github.com/mminfer/mminfer/vision"
)

// drawAll draws what the flags ask for and writes it.
func (g *draw) drawAll(ctx context.Context, p *pipeline.Pipeline) error {
	r, err := g.request(p, g.count.value)
	if err != nil {
		return err
	}
	r.Invert = g.invert
	start := time.Now()
	result, err := g.generate(ctx, p, r)
	if err != nil {
		return err
	}
	if g.Class == "all" {
		g.Class = numbers(r.Classes)
	}
	if g.verbose {
		g.tell(p, result, start)
	}
	if result.Lost > 0 {
		fmt.Fprintf(g.stderr, "mminfer: the prompt is %d tokens too long: its end was left out\n", result.Lost)
	}
	if err := g.saveLatents(result); err != nil {
		return err
	}
	if g.invert {
		return nil
	}
	if err := g.savePictures(result); err != nil || !g.compare {
		return err
	}
	return g.compareWith32(ctx, r, result)
}

// tell says on standard error what was computed.
func (g *draw) tell(p *pipeline.Pipeline, r *pipeline.Result, start time.Time) {
	solver := g.Solver
	if solver == "" {
		solver = p.Solver
	}
	fmt.Fprintf(g.stderr, "%s, %s parameters; %s, %s, %s a picture, guidance %g; seed %d; %s\n",
		imageModelName(g.Model), strings.TrimSpace(countText(p.Params)), solver, plural(g.Steps, "step"), plural(r.Calls, "call"), g.Guidance, g.Seed, took(start))
}

// generate draws a request with a bar and previews.
func (g *draw) generate(ctx context.Context, p *pipeline.Pipeline, r pipeline.Request) (*pipeline.Result, error) {
	bar := g.bar("drawing", packingHidden, func(n int64) string { return plural(int(n), "step") })
	defer bar.done()
	show := g.viewer(p)
	total := int64(len(r.Seeds) * r.Steps)
	r.Progress = func(at pipeline.Progress) error {
		done := int64(at.First*at.Steps + at.Count*at.Step)
		bar.set(min(done, total), total)
		return show(at)
	}
	result, err := p.Generate(ctx, r)
	if err == nil && len(result.Images) > 0 && g.showing() != showNone {
		g.status.clear()
		err = (&preview{to: g.stderr, how: g.showing(), opened: g.previewed}).show(joined(result.Images, squareColumns(len(result.Images))))
	}
	return result, err
}

// showing is how the terminal shows pictures.
func (g *draw) showing() string {
	switch {
	case g.show.value != "auto":
		return g.show.value
	case !g.status.visible:
		return showNone
	}
	return detectShow(g.env)
}

// viewer returns what shows estimates, for at most a fifth of the time.
func (g *draw) viewer(p *pipeline.Pipeline) func(pipeline.Progress) error {
	view := &preview{to: g.stderr, how: g.showing()}
	if view.how == showNone && g.previewFile == "" {
		return func(pipeline.Progress) error { return nil }
	}
	var next time.Time
	return func(at pipeline.Progress) error {
		start := time.Now()
		if start.Before(next) {
			return nil
		}
		n := at.Count
		if p.Kind != pipeline.Pixels {
			n = 1 // decoding takes long
		}
		var estimates []*vision.Image
		for i := range n {
			m, err := at.Estimate(i)
			if err != nil {
				return err
			}
			estimates = append(estimates, m)
		}
		m := joined(estimates, squareColumns(n))
		g.status.clear()
		if err := view.show(m); err != nil {
			return err
		}
		g.previewed = view.opened
		if g.previewFile != "" {
			if err := g.writePNG(g.previewFile, m, nil); err != nil {
				return err
			}
		}
		next = time.Now().Add(max(100*time.Millisecond, 4*time.Since(start)))
		return nil
	}
}

// savePictures writes the pictures with their parameters, and their names on standard output.
func (g *draw) savePictures(r *pipeline.Result) error {
	pictures := r.Images
	if g.grid {
		pictures = []*vision.Image{grid(r.Images, g.Columns)}
	}
	for i, m := range pictures {
		p, name := g.imageParams, g.output
		if len(pictures) > 1 {
			p.Seed += uint64(i)
			if turns := strings.Split(p.Class, ","); len(turns) > 1 {
				p.Class = turns[i%len(turns)]
			}
			extension := filepath.Ext(name)
			name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, extension), i+1, extension)
		}
		texts, err := p.texts()
		if err != nil {
			return err
		}
		m = enlarge(m, p.Scale)
		if err := g.writePNG(name, m, texts); err != nil {
			return err
		}
		fmt.Fprintf(g.out, "%s  %dx%d, seed %d\n", name, m.Width, m.Height, p.Seed)
	}
	return nil
}

// numbers lists classes with commas.
func numbers(classes []int) string {
	var words []string
	for _, id := range classes {
		words = append(words, strconv.Itoa(id))
	}
	return strings.Join(words, ",")
}

// grid lays pictures out in columns, 0 for about a square.
func grid(pictures []*vision.Image, columns int) *vision.Image {
	if columns == 0 {
		columns = squareColumns(len(pictures))
	}
	return joined(pictures, min(columns, len(pictures)))
}

func (g *draw) writePNG(name string, m *vision.Image, texts []pngText) error {
	file, err := encodePNG(m, texts)
	if err != nil {
		return err
	}
	return g.replaceFile(name, func(w io.Writer) error {
		_, err := w.Write(file)
		return err
	})
}

// again draws a picture as its file says and compares.
func (g *draw) again(ctx context.Context) error {
	params, old, err := readParams(g.redo)
	if err != nil {
		return fmt.Errorf("--redo: %w", err)
	}
	if g.set.Changed("model") {
		params.Model = g.Model
	}
	if g.set.Changed("vae") {
		params.VAE = g.VAE
	}
	g.pool = tensor.NewPool(g.threads.value)
	defer g.pool.Close()
	p, err := g.openPipeline(ctx, &params)
	if err != nil {
		return err
	}
	defer p.Close()
	written := params
	r, err := params.request(p, max(1, params.Count))
	if err != nil {
		return err
	}
	result, err := g.generate(ctx, p, r)
	if err != nil {
		return err
	}
	m := result.Images[0]
	if params.Count > 0 {
		m = grid(result.Images, params.Columns)
	}
	m = enlarge(m, params.Scale)
	if g.output != "" {
		texts, err := written.texts()
		if err != nil {
			return err
		}
		if err := g.writePNG(g.output, m, texts); err != nil {
			return err
		}
	}
	if err := g.saveLatents(result); err != nil {
		return err
	}
	if !samePixels(m, old) {
		return fmt.Errorf("%s: drawn again, the picture differs: the model's files are not those it was drawn with", g.redo)
	}
	fmt.Fprintf(g.out, "%s: drawn again, the same pixels\n", g.redo)
	return nil
}

// saveLatents writes what was drawn, before it was decoded.
func (g *draw) saveLatents(r *pipeline.Result) error {
	if g.latentOut == "" {
		return nil
	}
	t := tensor.Tensor{Name: "latents", Type: tensor.F32, Shape: r.Shape[:], Data: littleEndian(r.Latents)}
	err := g.replaceFile(g.latentOut, func(w io.Writer) error { return loader.Write(w, []tensor.Tensor{t}, nil) })
	if err == nil {
		fmt.Fprintf(g.out, "%s  %v\n", g.latentOut, r.Shape)
	}
	return err
}

// littleEndian returns the bytes of x in the order of files.
func littleEndian(x []float32) []byte {
	if b := tensor.LittleEndian(x); b != nil {
		return b
	}
	var b bytes.Buffer
	for _, v := range x {
		u := math.Float32bits(v)
		b.Write([]byte{byte(u), byte(u >> 8), byte(u >> 16), byte(u >> 24)})
	}
	return b.Bytes()
}

// readLatents reads the one tensor of a safetensors file.
func readLatents(file string, shape [4]int) ([]float32, error) {
	ck, err := loader.OpenFile(file)
	if err != nil {
		return nil, err
	}
	defer ck.Close()
	names := ck.Names()
	if len(names) != 1 {
		return nil, fmt.Errorf("%s: found %d tensors, expected one", file, len(names))
	}
	t, _ := ck.Tensor(names[0])
	if fmt.Sprint(t.Shape) != fmt.Sprint(shape) || !t.Type.Float() {
		return nil, fmt.Errorf("%s: found %v, expected floating-point numbers %v", file, t, shape)
	}
	x := make([]float32, t.Elements())
	t.Floats(x, 0)
	return x, nil
}

// compareWith32 draws a request again with weights of 32 bits and tells how far apart the pictures are.
func (g *draw) compareWith32(ctx context.Context, r pipeline.Request, got *pipeline.Result) error {
	params := g.imageParams
	params.Quant, params.plain = tensor.FormatF32.String(), true
	p, err := g.openPipeline(ctx, &params)
	if err != nil {
		return err
	}
	defer p.Close()
	want, err := g.generate(ctx, p, r)
	if err != nil {
		return err
	}
	for i := range want.Images {
		var sum, most float64
		for k, v := range want.Pixels[i] {
			d := math.Abs(float64(v) - float64(got.Pixels[i][k]))
			sum, most = sum+d*d, max(most, d)
		}
		rms := math.Sqrt(sum / float64(len(want.Pixels[i])))
		fmt.Fprintf(g.out, "seed %d: %s against f32: error %.3g, at most %.3g of 2; PSNR %s\n",
			r.Seeds[i], g.Quant, rms, most, psnr(want.Images[i], got.Images[i]))
	}
	return nil
}

// psnr is the peak signal-to-noise ratio of two pictures of bytes.
func psnr(a, b *vision.Image) string {
	sum := 0.0
	for i, v := range a.Pix {
		d := float64(v) - float64(b.Pix[i])
		sum += d * d
	}
	if sum == 0 {
		return "infinite, the same pixels"
	}
	return fmt.Sprintf("%.1f dB", 10*math.Log10(255*255*float64(len(a.Pix))/sum))
}
