package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mminfer/mminfer/demo"
	"github.com/mminfer/mminfer/diffusion/pipeline"
	"github.com/mminfer/mminfer/tensor"
)

// Bounds of what is drawn at once.
const (
	maxPictures = 1024
	maxScale    = 64
	maxSteps    = 10000
)

// noiseNames are the generators of noise.
var noiseNames = []string{"philox", "torch"}

// draw is the command image.
type draw struct {
	*app
	imageParams
	set     *pflag.FlagSet
	threads *whole
	quant   *format

	steps, count, columns, scale, tile          whole
	guidance, rescale, eta, tolerance, strength number
	solver, spacing, noise, show                choice
	size                                        size
	init, mask, latents                         string

	output, latentOut, previewFile, redo string
	grid, invert, compare, verbose       bool
	sweep                                sweepFlags

	pool      *tensor.Pool
	previewed bool // a preview is on the terminal
}

func (a *app) imageCommand() *cobra.Command {
	g := &draw{app: a}
	c := &cobra.Command{
		Use:   "image",
		Short: "Draw pictures with a diffusion model",
		Long: `Image draws pictures with a folder in diffusers' layout: Stable Diffusion 1 and 2
(-p TEXT), DiT (--class), and networks of pixels, such as the built-in one, which draws
emoji of 24 x 24 pixels in 16 classes. Weights are safetensors; safety checkers of
published models are not run.

A picture depends on its options and its seed alone: not on the number of threads, nor
on the pictures drawn beside it, and it is the same on every machine; -n 4 draws what
four runs with seeds s, s+1, s+2, s+3 draw. The PNG file says how it was drawn, and
--redo FILE draws it again and compares.

--init changes a picture by --strength; --mask paints where the mask is white;
--invert finds the noise that leads to a picture, for --latent-out and then --latents.

Stable Diffusion 1.5 at 512x512 takes 2.0 GB of memory with --quant q8. Decoding needs
more the more pixels there are; --tile bounds it, at the price of computing overlaps.

On terminals that show pictures (kitty, iTerm2, sixel) a preview of what the picture
would be without its noise is shown as it is drawn.

--sweep draws the same noise with several solvers and numbers of steps, side by side,
and tells how far each is from the solution of 1000 steps.`,
		Example: `  mminfer image --class animals
  mminfer image --class heart -n 16 --grid --scale 4 --seed 3 -o hearts.png
  mminfer image --class all -n 64 --grid --columns 16 -o classes.png
  mminfer image -m sd15 -p "a lighthouse in a storm" --steps 20 --solver dpmpp-2m --seed 1
  mminfer image -m sd15 -p "a lighthouse" --quant q8 --size 1024x1024 --tile 512
  mminfer image -m sd15 --vae taesd -p "a lighthouse" --size 768x512 -n 4 -o lights.png
  mminfer image -m sd15 -p "in winter" --init summer.png --strength 0.6
  mminfer image -m sd15 -p "a cat" --init room.png --mask sofa.png
  mminfer image --class clock --init face.png --invert --latent-out z.safetensors
  mminfer image --redo image.png
  mminfer image --class heart --quant q8 --compare
  mminfer image --class heart -n 4 --sweep -o sweep.png`,
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := c.Flags()
	g.set = f
	f.StringVarP(&g.Model, "model", "m", "", "`directory` of the pipeline, with model_index.json (default: the built-in one)")
	_ = c.MarkFlagDirname("model") // fails only if the flag does not exist
	g.askedFlags(f)
	g.solverFlags(f)
	g.pictureFlags(f)
	g.threads, g.quant = threadsFlag(c), quantFlag(c)
	g.outputFlags(f)
	for _, pair := range [][]string{{"grid", "sweep"}, {"redo", "sweep"}, {"redo", "compare"}, {"sweep", "compare"}, {"sweep", "init"}, {"init", "latents"}, {"invert", "mask"}, {"invert", "strength"}, {"invert", "compare"}} {
		c.MarkFlagsMutuallyExclusive(pair...)
	}
	return a.command(c, g.run)
}

// add adds a flag whose default depends on the model.
func (g *draw) add(v pflag.Value, name, usage string) {
	g.set.Var(v, name, usage)
	g.set.Lookup(name).DefValue = ""
}

func (g *draw) askedFlags(f *pflag.FlagSet) {
	f.StringVarP(&g.Prompt, "prompt", "p", "", "what to draw, for models that read")
	f.StringVar(&g.Negative, "negative", "", "what not to draw")
	f.StringVar(&g.Class, "class", "", "class to draw, by name or number; several with commas, or all, take turns (default: none in particular)")
	f.Uint64Var(&g.Seed, "seed", 0, "`number` that fixes the noise (default: a random one)")
	g.count = whole{1, 1, maxPictures}
	f.VarP(&g.count, "count", "n", "pictures to draw: picture i has seed + i")
	f.Var(&g.size, "size", "width and height in pixels (default: the model's)")
	g.noise = choice{noiseNames[0], noiseNames}
	f.Var(&g.noise, "noise", "generator of noise: philox, the same on every machine, or torch, for the seeds of diffusers on CPUs")
}

func (g *draw) solverFlags(f *pflag.FlagSet) {
	var names []string
	for _, s := range pipeline.Solvers() {
		names = append(names, s.Name)
	}
	g.steps = whole{pipeline.DefaultSteps, 1, maxSteps}
	f.Var(&g.steps, "steps", "steps of the solver")
	g.solver = choice{words: names}
	f.Var(&g.solver, "solver", "one of those that mminfer solvers lists (default: the model's)")
	g.spacing = choice{words: pipeline.Spacings()}
	f.Var(&g.spacing, "spacing", "where the steps lie: "+strings.Join(pipeline.Spacings(), ", ")+" (default: the model's)")
	g.guidance = number{min: -1e4, max: 1e4}
	g.add(&g.guidance, "guidance", "how far towards what is asked for, 1 for not at all (default: 7.5 for texts, 4 for classes of latents, 2 of pixels)")
	g.rescale = number{max: 1}
	f.Var(&g.rescale, "guidance-rescale", "bring guided predictions back to the contrast they had, 0 to 1")
	g.eta = number{max: 1}
	g.add(&g.eta, "eta", "noise that ddim and tcd add, 0 to 1")
	g.tolerance = number{max: 10}
	g.add(&g.tolerance, "tolerance", "of dpm-adaptive, absolute and relative")
	f.BoolVar(&g.ToData, "to-data", false, "with a continuous spacing: one more call, to a picture without noise")
	f.BoolVar(&g.Compat, "compat", false, "do as published implementations do where they depart from the formulas")
}

func (g *draw) pictureFlags(f *pflag.FlagSet) {
	f.StringVar(&g.init, "init", "", "begin with the picture in `FILE`")
	g.strength = number{max: 1}
	g.add(&g.strength, "strength", "how much of --init to change, 0 to 1 (default: 0.8, with --mask 1)")
	f.StringVar(&g.mask, "mask", "", "paint where the picture in `FILE` is white, and keep --init where it is black")
	f.BoolVar(&g.invert, "invert", false, "find the noise that leads to --init, for --latent-out")
	f.StringVar(&g.latents, "latents", "", "begin with the numbers in `FILE`, as --latent-out writes them, in place of noise")
	f.StringVar(&g.VAE, "vae", "", "`directory` of another autoencoder for the model's latents, such as TAESD")
	g.tile = whole{max: 1 << 14}
	f.Var(&g.tile, "tile", "decode latents in overlapping tiles of so many pixels, such as 320: that takes less memory and changes the picture slightly; 0 for whole")
}

func (g *draw) outputFlags(f *pflag.FlagSet) {
	f.StringVarP(&g.output, "output", "o", "image.png", "write the picture to `FILE`; of several to FILE-1.png, FILE-2.png, ...")
	f.StringVar(&g.redo, "redo", "", "draw the picture in `FILE` again, as the file says it was drawn, and compare; with -o write it")
	f.BoolVar(&g.grid, "grid", false, "write one picture with all of -n")
	g.columns = whole{min: 1, max: maxPictures}
	g.add(&g.columns, "columns", "of --grid (default: about a square)")
	g.scale = whole{1, 1, maxScale}
	f.Var(&g.scale, "scale", "enlarge by a whole number, pixels repeated")
	f.StringVar(&g.latentOut, "latent-out", "", "write the last latents to `FILE`, a safetensors file")
	g.show = choice{"auto", []string{"auto", showNone, showKitty, showITerm, showSixel}}
	f.Var(&g.show, "preview", "show the picture as it is drawn: auto, off, kitty, iterm2, sixel")
	f.StringVar(&g.previewFile, "preview-file", "", "write the picture as it is drawn to `FILE`, a PNG file, again and again")
	f.BoolVar(&g.compare, "compare", false, "draw with weights of 32 bits too, and tell how far apart the pictures are")
	f.BoolVarP(&g.verbose, "verbose", "v", false, "tell solver, calls and time on standard error")
	g.sweep.add(f)
}

func (g *draw) run(ctx context.Context, _ []string) error {
	if err := g.collect(); err != nil {
		return err
	}
	for name, file := range map[string]string{"output": g.output, "latent-out": g.latentOut, "preview-file": g.previewFile} {
		if file != "" {
			if err := checkFolder(file); err != nil {
				return fmt.Errorf("--%s: %w", name, err)
			}
		}
	}
	if g.redo != "" {
		return g.again(ctx)
	}
	g.pool = tensor.NewPool(g.threads.value)
	defer g.pool.Close()
	p, err := g.openPipeline(ctx, &g.imageParams)
	if err != nil {
		return err
	}
	defer p.Close()
	if g.sweep.on {
		return g.sweeping(ctx, p)
	}
	return g.drawAll(ctx, p)
}

// collect brings the flags together in the parameters, and checks what needs no model.
func (g *draw) collect() error {
	changed := g.set.Changed
	if !changed("seed") {
		g.Seed = uint64(rand.Uint32())
	}
	g.Quant, g.Noise, g.Solver, g.Spacing = g.quant.String(), g.noise.value, g.solver.value, g.spacing.value
	g.Steps, g.Tile = g.steps.value, g.tile.value
	g.Guidance, g.Rescale, g.Tolerance, g.Strength = g.guidance.value, g.rescale.value, g.tolerance.value, g.strength.value
	if changed("eta") {
		g.Eta = &g.eta.value
	}
	g.Width, g.Height = g.size.width, g.size.height
	for _, in := range []struct {
		file string
		to   **input
	}{{g.init, &g.Init}, {g.mask, &g.Mask}, {g.latents, &g.Latents}} {
		if in.file != "" {
			*in.to = &input{File: in.file}
		}
	}
	if g.scale.value > 1 {
		g.Scale = g.scale.value
	}
	if g.grid {
		g.Count, g.Columns = g.count.value, g.columns.value
	}
	switch {
	case g.Init == nil && (g.mask != "" || g.invert || changed("strength")):
		return usagef("--mask, --strength and --invert need --init")
	case changed("strength") && g.Strength == 0, changed("guidance") && g.Guidance == 0:
		return usagef("a --strength or a --guidance of 0 leaves nothing to do: want another number")
	case g.invert && g.latentOut == "":
		return usagef("--invert finds noise: say with --latent-out where to write it")
	case changed("columns") && !g.grid:
		return usagef("--columns needs --grid")
	case g.Latents != nil && g.count.value > 1:
		return usagef("--latents is for one picture")
	case g.redo != "":
		return g.redoFlags()
	}
	if g.invert {
		if g.Solver == "" {
			g.Solver = "dpmpp-2m"
		}
		if g.Spacing == "" {
			g.Spacing = "logsnr"
		}
	}
	return nil
}

// redoFlags refuses flags that --redo takes from the file.
func (g *draw) redoFlags() (err error) {
	g.set.Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "redo", "output", "model", "vae", "threads", "preview", "preview-file", "latent-out", "verbose":
		default:
			err = usagef("--redo takes --%s from the file", f.Name)
		}
	})
	if !g.set.Changed("output") {
		g.output = ""
	}
	return err
}

// openPipeline opens the model of some parameters. When ctx ends it returns at once.
func (g *draw) openPipeline(ctx context.Context, p *imageParams) (*pipeline.Pipeline, error) {
	bar := g.bar("packing weights", packingHidden, bytesText)
	defer bar.done()
	quant, err := tensor.ParseFormat(p.Quant)
	if err != nil {
		return nil, err
	}
	opts := pipeline.Options{Format: quant, Pool: g.pool, VAE: p.VAE, Plain: p.plain, Progress: func(_ string, done, total int64) { bar.set(done, total) }}
	dir := p.Model
	return await(ctx, func() (*pipeline.Pipeline, error) {
		if dir == "" {
			emoji, err := fs.Sub(demo.FS, demo.Emoji)
			if err != nil {
				return nil, err
			}
			return pipeline.OpenFS(emoji, opts)
		}
		return pipeline.Open(dir, opts)
	})
}

// imageModelName is what a pipeline is called in output.
func imageModelName(dir string) string {
	if dir == "" {
		return demo.Emoji
	}
	return modelName(dir)
}

// defaultGuidance is the usual one of a kind of model, as published: in diffusers' pipelines of texts and of
// classes, and in the built-in model's own description.
func defaultGuidance(p *pipeline.Pipeline) float64 {
	switch {
	case p.Class == "LatentConsistencyModelPipeline":
		return 8.5
	case p.Kind == pipeline.TextToImage:
		return 7.5
	case p.Kind == pipeline.ClassToLatent:
		return 4
	case p.None >= 0:
		return 2
	}
	return 1
}

// classesOf are the classes of names or numbers, separated by commas; "all" are all that have a name.
func classesOf(p *pipeline.Pipeline, names string) (classes []int, err error) {
	if names == "all" {
		for id, label := range p.Classes {
			if label != "" {
				classes = append(classes, id)
			}
		}
		if len(classes) == 0 {
			return nil, errors.New("the model names no classes")
		}
		return classes, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		id, err := strconv.Atoi(strings.TrimSpace(name))
		if err != nil {
			if id, err = p.FindClass(name); err != nil {
				return nil, err
			}
		}
		classes = append(classes, id)
	}
	return classes, nil
}

// size is a flag of two numbers.
type size struct{ width, height int }

func (s *size) Type() string { return "WxH" }

func (s *size) String() string {
	if s.width == 0 {
		return ""
	}
	return fmt.Sprintf("%dx%d", s.width, s.height)
}

func (s *size) Set(text string) error {
	left, right, found := strings.Cut(strings.ToLower(text), "x")
	if !found {
		right = left
	}
	w, err := strconv.Atoi(left)
	h, err2 := strconv.Atoi(right)
	if err != nil || err2 != nil || w < 1 || h < 1 || w > math.MaxInt16 || h > math.MaxInt16 {
		return errors.New("expected WIDTHxHEIGHT, such as 512x768")
	}
	s.width, s.height = w, h
	return nil
}

// took tells how long something took.
func took(since time.Time) string { return fmt.Sprintf("%.2f s", time.Since(since).Seconds()) }
