package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/diffusion/pipeline"
	"github.com/mminfer/mminfer/vision"
)

// imageParams is all that a picture depends on. A PNG file carries it as JSON.
type imageParams struct {
	plain bool // convolutions are sums of products, so that exact weights show no difference

	Model     string   `json:"model,omitempty"` // directory, "" for the built-in one
	VAE       string   `json:"vae,omitempty"`
	Quant     string   `json:"quant"`
	Prompt    string   `json:"prompt,omitempty"`
	Negative  string   `json:"negative,omitempty"`
	Class     string   `json:"class,omitempty"` // name or number
	Solver    string   `json:"solver,omitempty"`
	Spacing   string   `json:"spacing,omitempty"`
	Steps     int      `json:"steps"`
	Guidance  float64  `json:"guidance"`
	Rescale   float64  `json:"guidance_rescale,omitempty"`
	Eta       *float64 `json:"eta,omitempty"`
	Tolerance float64  `json:"tolerance,omitempty"`
	ToData    bool     `json:"to_data,omitempty"`
	Compat    bool     `json:"compat,omitempty"`
	Seed      uint64   `json:"seed"`
	Noise     string   `json:"noise"` // philox or torch
	Width     int      `json:"width"`
	Height    int      `json:"height"`
	Init      *input   `json:"init,omitempty"`
	Mask      *input   `json:"mask,omitempty"`
	Latents   *input   `json:"latents,omitempty"`
	Strength  float64  `json:"strength,omitempty"`
	Tile      int      `json:"tile,omitempty"`
	Count     int      `json:"count,omitempty"` // pictures of a grid, 0 for one picture alone
	Columns   int      `json:"columns,omitempty"`
	Scale     int      `json:"scale,omitempty"` // pixels repeated so often, 0 for once
}

// input is a file that a picture depends on.
type input struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// paramsKey is the keyword of the JSON in a PNG file; readableKey that of the form that other programs write.
const (
	paramsKey   = "mminfer"
	readableKey = "parameters"
)

// texts are what a PNG file carries of the parameters.
func (p imageParams) texts() ([]pngText, error) {
	data, err := json.Marshal(p)
	return []pngText{{"Software", "mminfer"}, {readableKey, p.String()}, {paramsKey, string(data)}}, err
}

// String is the text that programs around Stable Diffusion show: the prompt, then names and values.
func (p imageParams) String() string {
	var b strings.Builder
	b.WriteString(p.Prompt)
	if p.Negative != "" {
		fmt.Fprintf(&b, "\nNegative prompt: %s", p.Negative)
	}
	solver := p.Solver
	if solver == "" {
		solver = "the model's"
	}
	fmt.Fprintf(&b, "\nSteps: %d, Sampler: %s, CFG scale: %g, Seed: %d, Size: %dx%d, Model: %s", p.Steps, solver, p.Guidance, p.Seed, p.Width, p.Height, imageModelName(p.Model))
	if p.Class != "" {
		fmt.Fprintf(&b, ", Class: %s", p.Class)
	}
	if p.Spacing != "" {
		fmt.Fprintf(&b, ", Schedule type: %s", p.Spacing)
	}
	if p.Strength != 0 {
		fmt.Fprintf(&b, ", Denoising strength: %g", p.Strength)
	}
	return strings.TrimPrefix(b.String(), "\n")
}

// parseParams reads the JSON of a PNG file. It refuses keys that it does not know: the picture may depend on them.
func parseParams(text string) (p imageParams, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, err
	}
	if p.Count < 0 || p.Count > maxPictures || p.Columns < 0 || p.Scale < 0 || p.Scale > maxScale {
		return p, fmt.Errorf("%d pictures in %d columns, enlarged %d times", p.Count, p.Columns, p.Scale)
	}
	if !slices.Contains(noiseNames, p.Noise) || !slices.Contains(formatNames(), p.Quant) {
		return p, fmt.Errorf("noise %q, weights %q", p.Noise, p.Quant)
	}
	return p, nil
}

// readParams reads the parameters of a picture that the program wrote, and the picture.
func readParams(name string) (p imageParams, m *vision.Image, err error) {
	file, err := os.ReadFile(name)
	if err != nil {
		return p, nil, err
	}
	texts, err := readPNGText(file)
	if err != nil {
		return p, nil, fmt.Errorf("%s: %w", name, err)
	}
	i := slices.IndexFunc(texts, func(t pngText) bool { return t.key == paramsKey })
	if i < 0 {
		return p, nil, fmt.Errorf("%s: it does not say how it was drawn: want a picture that mminfer wrote", name)
	}
	if p, err = parseParams(texts[i].text); err != nil {
		return p, nil, fmt.Errorf("%s: parameters: %w", name, err)
	}
	if m, err = vision.Decode(file, vision.Limits{}); err != nil {
		return p, nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, m, nil
}

// load reads an input, which must be the file that it was.
func (in *input) load() ([]byte, error) {
	data, err := os.ReadFile(in.File)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); in.SHA256 == "" {
		in.SHA256 = got
	} else if got != in.SHA256 {
		return nil, fmt.Errorf("%s: not the file that the picture was drawn with: its SHA-256 is %s, want %s", in.File, got, in.SHA256)
	}
	return data, nil
}

// picture reads a picture at a size, (0, 0) being its own.
func (in *input) picture(width, height int) (*vision.Image, error) {
	data, err := in.load()
	if err != nil {
		return nil, err
	}
	m, err := vision.Decode(data, vision.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in.File, err)
	}
	if width == 0 || m.Width == width && m.Height == height {
		return m, nil
	}
	return m.Resize(width, height)
}

// request makes the request of the parameters for a pipeline, and fills in what they leave to it.
func (p *imageParams) request(model *pipeline.Pipeline, count int) (r pipeline.Request, err error) {
	r = pipeline.Request{
		Prompt: p.Prompt, Negative: p.Negative, Class: pipeline.None, Torch: p.Noise == "torch",
		Solver: p.Solver, Spacing: p.Spacing, Steps: p.Steps, Rescale: p.Rescale, Eta: p.Eta,
		ToData: p.ToData, Compat: p.Compat, Tolerance: p.Tolerance, Strength: p.Strength, Tile: p.Tile,
	}
	for i := range count {
		r.Seeds = append(r.Seeds, p.Seed+uint64(i))
	}
	if p.Guidance == 0 {
		p.Guidance = defaultGuidance(model)
	}
	r.Guidance = p.Guidance
	if p.Class != "" {
		classes, err := classesOf(model, p.Class)
		if err != nil {
			return r, err
		}
		for i := range count {
			r.Classes = append(r.Classes, classes[i%len(classes)])
		}
	}
	if p.Init != nil && p.Width == 0 {
		m, err := p.Init.picture(0, 0)
		if err != nil {
			return r, fmt.Errorf("--init: %w", err)
		}
		// The nearest size that the model can draw.
		round := func(n int) int { return max(1, (n+model.Multiple/2)/model.Multiple) * model.Multiple }
		p.Width, p.Height = round(m.Width), round(m.Height)
		if model.Kind != pipeline.TextToImage {
			p.Width, p.Height = model.Size, model.Size
		}
	}
	if p.Width == 0 {
		p.Width, p.Height = model.Size, model.Size
	}
	r.Width, r.Height = p.Width, p.Height
	return r, p.inputs(model, &r)
}

// inputs reads the files that the parameters name.
func (p *imageParams) inputs(model *pipeline.Pipeline, r *pipeline.Request) (err error) {
	if p.Init != nil {
		if r.Init, err = p.Init.picture(p.Width, p.Height); err != nil {
			return fmt.Errorf("--init: %w", err)
		}
	}
	if p.Mask != nil {
		m, err := p.Mask.picture(p.Width, p.Height)
		if err != nil {
			return fmt.Errorf("--mask: %w", err)
		}
		r.Mask = make([]float32, m.Width*m.Height)
		for i := range r.Mask {
			r.Mask[i] = float32(int(m.Pix[3*i])+int(m.Pix[3*i+1])+int(m.Pix[3*i+2])) / 765
		}
	}
	if p.Latents != nil {
		_, err := p.Latents.load()
		if err == nil {
			r.Latents, err = readLatents(p.Latents.File, [4]int{len(r.Seeds), model.Channels(), p.Height / model.Factor, p.Width / model.Factor})
		}
		if err != nil {
			return fmt.Errorf("--latents: %w", err)
		}
	}
	return nil
}

// samePixels reports whether two pictures are equal.
func samePixels(a, b *vision.Image) bool {
	return a.Width == b.Width && a.Height == b.Height && bytes.Equal(a.Pix, b.Pix)
}
