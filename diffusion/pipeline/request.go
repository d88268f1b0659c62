package pipeline

import (
	"fmt"
	"math"

	"github.com/mminfer/mminfer/diffusion"
	"github.com/mminfer/mminfer/tensor"
	"github.com/mminfer/mminfer/vision"
)

// None is the class of a request that asks for none.
const None = -1

// DefaultSteps is the number of steps where a request does not say.
const DefaultSteps = 20

// A Request says what to draw. The zero value draws nothing: it has no seeds.
type Request struct {
	Prompt, Negative       string   // of a pipeline from text to image
	PromptIDs, NegativeIDs []int32  // in place of the texts: rows of the text encoder's context
	Class                  int      // of a pipeline with classes, or None
	Classes                []int    // one for each picture, in place of Class; None is none of them
	Seeds                  []uint64 // one for each picture
	Torch                  bool     // noise is what torch's CPU generator draws for the seed
	Width, Height          int      // in pixels; 0 is the usual size

	Solver    string  // a name of [Solvers]; "" is the folder's scheduler as it is
	Spacing   string  // a name of [Spacings]; "" is the scheduler's
	Steps     int     // 0 is DefaultSteps
	Guidance  float64 // towards what is asked for, away from the negative prompt or no class; 1, or 0, is none
	Rescale   float64 // 0 to 1: bring guided outputs back to the deviation they had
	Eta       *float64
	ToData    bool    // with a continuous spacing: one more call, from the last level to data
	Compat    bool    // as published implementations do where they depart from the formulas
	Tolerance float64 // of dpm-adaptive; 0 is the reference's

	Init     *vision.Image // a picture to change, at the requested size
	Strength float64       // how much: the share of the steps that run, above 0 up to 1; 0 is 0.8
	Mask     []float32     // [Height, Width] from 0, kept, to 1, painted: with Init
	Invert   bool          // find the noise that leads to Init; needs a continuous spacing

	Latents []float32         // [n, channels, h, w] to start from in place of a generator's noise; deviation 1
	Noise   func(x []float64) // draws of a stochastic solver for all pictures together, in place of the generators'

	Batch    int                  // pictures computed together, which changes nothing but memory and time; 0 is a fitting number
	Tile     int                  // decode latents in overlapping tiles of so many pixels, which bounds memory and changes pictures slightly; 0 is whole
	Progress func(Progress) error // after every step; an error ends the drawing
}

// Progress is how far a drawing is.
type Progress struct {
	First, Count int // the pictures in work, by their place in Seeds
	Step, Steps  int // of them
	Calls        int // of the network up to here, for all pictures

	estimate func(i int) (*vision.Image, error)
}

// Estimate decodes what picture First+i would be if all noise that the network sees were removed.
func (p Progress) Estimate(i int) (*vision.Image, error) { return p.estimate(i) }

// Result is what was drawn.
type Result struct {
	Images  []*vision.Image
	Pixels  [][]float32 // [3, Height, Width] of each picture, about -1 to 1, before it was clamped
	Latents []float32   // [n, channels, h, w] at the end of the last step
	Shape   [4]int      // of Latents
	Calls   int         // of the network for each picture, two questions with guidance being one
	Lost    int         // tokens of the prompt for which there was no room
}

// job is a request with everything that is not said filled in, and checked.
type job struct {
	Request
	p         *Pipeline
	scheduler *diffusion.Scheduler
	solver    Solver // of the zero Name where the folder's scheduler runs
	plan      *diffusion.Plan
	smooth    *smooth // nil where a plan runs
	h, w      int     // of what is drawn
	guided    bool
	lost      int

	prompts conditions
	classes []int     // of each picture
	known   []float32 // [channels, h, w], Init as what is drawn
	mask    []float64 // [channels, h, w]
	extra   []float32 // [channels+1, h, w], what a painter sees besides: the mask and the masked picture
}

// scheduler is that of a request: the folder's, or its solver's class over the folder's configuration.
func (p *Pipeline) scheduler(r *Request) (*diffusion.Scheduler, error) {
	var s Solver
	if r.Solver != "" {
		var err error
		if s, err = FindSolver(r.Solver); err != nil {
			return nil, err
		}
	}
	keys := map[string]any{}
	if _, smooth := continuous[r.Spacing]; !smooth {
		var err error
		if keys, err = spacingKeys(r.Spacing); err != nil {
			return nil, err
		}
	}
	for key, value := range s.keys {
		keys[key] = value
	}
	// The values of latents are not bounded, and Stable Diffusion counts steps from 1: its pipeline sets
	// both whatever an old file says.
	if p.Kind == TextToImage {
		keys["steps_offset"], keys["clip_sample"] = 1, false
	} else if p.Kind == ClassToLatent && s.class != "" {
		keys["clip_sample"] = false
	}
	c, err := p.folder.scheduler(s.class, keys)
	if err != nil {
		return nil, err
	}
	c.Compat = r.Compat
	return c, nil
}

// prepare checks a request.
func (p *Pipeline) prepare(r Request) (*job, error) {
	j := &job{Request: r, p: p}
	if err := j.sizes(); err != nil {
		return nil, err
	}
	if j.Steps == 0 {
		j.Steps = DefaultSteps
	}
	if j.Guidance == 0 {
		j.Guidance = 1
	}
	if !(math.Abs(j.Guidance) <= 1e4) || !(j.Rescale >= 0 && j.Rescale <= 1) {
		return nil, fmt.Errorf("pipeline: guidance %g, rescale %g: want numbers up to 10000, and from 0 to 1", j.Guidance, j.Rescale)
	}
	switch least := 4 * p.Factor; {
	case j.Tile != 0 && p.codec == nil:
		return nil, fmt.Errorf("pipeline: tiles of %d pixels for %s, which decodes nothing: want 0 for none", j.Tile, p.Class)
	case j.Tile != 0 && (j.Tile < least || j.Tile%p.Factor != 0):
		return nil, fmt.Errorf("pipeline: tiles of %d pixels: want a multiple of %d, at least %d, or 0 for none", j.Tile, p.Factor, least)
	}
	if err := j.asked(); err != nil {
		return nil, err
	}
	if err := j.picture(); err != nil {
		return nil, err
	}
	if err := j.solve(); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	return j, nil
}

// maxSide and maxImages bound a request, so that no product of sizes overflows.
const (
	maxSide   = 1 << 14
	maxImages = 1 << 16
)

func (j *job) sizes() error {
	p := j.p
	if len(j.Seeds) < 1 || len(j.Seeds) > maxImages {
		return fmt.Errorf("pipeline: %d seeds: want one for each picture, 1 to %d", len(j.Seeds), maxImages)
	}
	for _, side := range []*int{&j.Width, &j.Height} {
		if *side == 0 {
			*side = p.Size
		}
		if *side < 1 || *side > maxSide || *side%p.Multiple != 0 {
			return fmt.Errorf("pipeline: %d x %d pixels: want sides that are multiples of %d, up to %d", j.Width, j.Height, p.Multiple, maxSide)
		}
	}
	if p.dit != nil && j.Width != j.Height {
		return fmt.Errorf("pipeline: %d x %d pixels: %s draws squares only", j.Width, j.Height, p.Class)
	}
	j.h, j.w = j.Height/p.Factor, j.Width/p.Factor
	if n := len(j.Seeds) * j.elements(); len(j.Latents) != 0 && len(j.Latents) != n {
		return fmt.Errorf("pipeline: %d numbers to start from: want %d, for %d of [%d, %d, %d]", len(j.Latents), n, len(j.Seeds), p.Channels(), j.h, j.w)
	} else if i := tensor.NotFinite(j.Latents); i >= 0 {
		return fmt.Errorf("pipeline: number %d to start from is %g: want finite ones", i, j.Latents[i])
	}
	return nil
}

// elements are those of one picture as it is drawn.
func (j *job) elements() int { return j.p.Channels() * j.h * j.w }

// asked checks what is to be drawn.
func (j *job) asked() error {
	p := j.p
	text := j.Prompt != "" || j.Negative != "" || j.PromptIDs != nil || j.NegativeIDs != nil
	switch {
	case text && p.Kind != TextToImage:
		return fmt.Errorf("pipeline: a prompt for %s, which reads none: want a class, or nothing", p.Class)
	case p.Kind == TextToImage && p.words == nil && j.PromptIDs == nil:
		return fmt.Errorf("pipeline: a prompt for a folder without a tokenizer: want its ids")
	}
	if err := j.chooseClasses(); err != nil {
		return err
	}
	if p.Kind == TextToImage {
		j.guided = j.Guidance > 1 && p.cond.GuidanceDim == 0
	} else {
		j.guided = j.Guidance != 1 && p.None >= 0 && j.classes[0] != p.None
		if j.Guidance != 1 && p.None < 0 {
			return fmt.Errorf("pipeline: guidance %g: the model has no class that stands for none: want 1", j.Guidance)
		}
	}
	return nil
}

// chooseClasses gives each picture its class.
func (j *job) chooseClasses() error {
	p := j.p
	j.classes = j.Classes
	for j.Classes == nil && len(j.classes) < len(j.Seeds) {
		j.classes = append(j.classes, j.Class)
	}
	if len(j.classes) != len(j.Seeds) {
		return fmt.Errorf("pipeline: %d classes for %d pictures: want as many", len(j.classes), len(j.Seeds))
	}
	for i, class := range j.classes {
		switch {
		case class == None && j.Classes == nil && (p.None >= 0 || len(p.Classes) == 0):
			j.classes[i] = p.None
		case len(p.Classes) == 0:
			return fmt.Errorf("pipeline: class %d for %s, which has no classes", class, p.Class)
		case class == None:
			return fmt.Errorf("pipeline: no class: want one of 0 to %d for each picture", len(p.Classes)-1)
		case class < 0 || class >= len(p.Classes) && class != p.None || j.Classes != nil && class == p.None:
			return fmt.Errorf("pipeline: class %d: want 0 to %d", class, len(p.Classes)-1)
		}
	}
	return nil
}

// picture checks the picture to begin with.
func (j *job) picture() error {
	if j.Init == nil {
		if j.Mask != nil || j.Invert || j.Strength != 0 || j.p.Painter() {
			return fmt.Errorf("pipeline: a mask, a strength, an inversion, or a network that paints into pictures, without a picture: want one")
		}
		return nil
	}
	if m := j.Init; m.Width != j.Width || m.Height != j.Height {
		return fmt.Errorf("pipeline: a picture of %d x %d pixels: want %d x %d", m.Width, m.Height, j.Width, j.Height)
	}
	if j.Mask != nil && len(j.Mask) != j.Width*j.Height {
		return fmt.Errorf("pipeline: a mask of %d pixels: want %d", len(j.Mask), j.Width*j.Height)
	}
	if j.p.Painter() && j.Mask == nil {
		return fmt.Errorf("pipeline: no mask for a network that paints into pictures")
	}
	if j.Invert && (j.Mask != nil || j.Strength != 0) {
		return fmt.Errorf("pipeline: an inversion with a mask or a strength: want neither")
	}
	if j.Strength == 0 {
		j.Strength = 0.8
		if j.Mask != nil {
			j.Strength = 1
		}
	}
	if !(j.Strength > 0 && j.Strength <= 1) {
		return fmt.Errorf("pipeline: strength %g: want more than 0, up to 1", j.Strength)
	}
	return nil
}

// solve makes the plan.
func (j *job) solve() (err error) {
	if j.Solver != "" {
		if j.solver, err = FindSolver(j.Solver); err != nil {
			return err
		}
	}
	if j.Eta != nil && !(*j.Eta >= 0 && *j.Eta <= 1) {
		return fmt.Errorf("eta %g: want 0 to 1", *j.Eta)
	}
	if j.Eta != nil && j.solver.Name != "" && !j.solver.Eta {
		return fmt.Errorf("eta is no option of %s", j.solver.Name)
	}
	if j.scheduler, err = j.p.scheduler(&j.Request); err != nil {
		return err
	}
	spacing, isSmooth := continuous[j.Spacing]
	switch {
	case !isSmooth && (j.Invert || j.ToData || j.solver.method == adaptive):
		return fmt.Errorf("inversion, a last call to data and dpm-adaptive: want a continuous spacing, logsnr")
	case !isSmooth:
		j.plan, err = j.newPlan(j.batch())
		return err
	case j.solver.Name == "":
		return fmt.Errorf("spacing %s needs a solver: want one of those that mminfer solvers lists", j.Spacing)
	case j.solver.method == none:
		return fmt.Errorf("%s has no continuous form: want a spacing of %v, or another solver", j.solver.Name, Spacings()[:7])
	case j.Init != nil && !j.Invert:
		return fmt.Errorf("spacing %s with a picture to change: want another spacing", j.Spacing)
	case j.Steps > 10000:
		return fmt.Errorf("%d steps: want at most 10000", j.Steps)
	}
	c, err := j.scheduler.Continuous()
	if err != nil {
		return err
	}
	j.smooth = &smooth{schedule: c, spacing: spacing, steps: j.Steps, back: j.Invert, compat: j.Compat, tolerance: j.Tolerance}
	return nil
}

// newPlan plans the drawing of n pictures together.
func (j *job) newPlan(n int) (*diffusion.Plan, error) {
	plan, err := j.scheduler.Plan(j.Steps, diffusion.PlanOptions{Eta: j.Eta, Batch: n})
	if err == nil && j.Init != nil {
		return plan.Part(j.Strength)
	}
	return plan, err
}

// batch is how many pictures are computed together: as many as have 4096 places in all.
func (j *job) batch() int {
	n := j.Batch
	if n <= 0 {
		n = max(1, 4096/(j.h*j.w))
	}
	if j.solver.method == adaptive {
		n = 1 // its steps are those that the worst of a batch needs
	}
	return min(n, len(j.Seeds))
}
