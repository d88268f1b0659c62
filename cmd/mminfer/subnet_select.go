package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// selection is the command subnet select.
type selection struct {
	*app
	dir                   string
	threads               *whole
	quant                 *format
	text, mc, out, widths string
	metric, by, widthBy   choice
	minLayers, keepLast   whole
	window, depthWindows  whole
	widthWindows, mcMost  whole
	mcContext             whole
	refTruncate           bool
	exact, resume         bool
	verbose               bool

	ck       *loader.Checkpoint
	selector *subnet.Selector
	windows  [][]int32
	asked    []subnet.Question
	ratios   []float64
}

func (a *app) subnetSelectCommand() *cobra.Command {
	s := &selection{
		app: a, metric: choice{"", []string{"nll", "perplexity", "accuracy"}}, by: choice{"program", []string{"program", "influence", "none"}},
		widthBy:   choice{"flap", []string{"flap", "random"}},
		minLayers: whole{0, 0, 1 << 10}, keepLast: whole{1, 0, 1 << 10}, window: whole{512, 2, 1 << 20}, depthWindows: whole{4, 1, 1 << 20},
		widthWindows: whole{64, 2, 1 << 20}, mcMost: whole{320, 0, math.MaxInt32}, mcContext: whole{2048, 1, 1 << 20},
	}
	c := &cobra.Command{
		Use:   "select -m MODEL --text FILE -o DIR",
		Short: "Choose the layers, heads and neurons of a model's subnets",
		Long: `Select chooses which layers remain at each depth, by a dynamic programme that
measures the model without some of its layers, and which heads and neurons remain
at each width, by how much their outputs fluctuate on a text (FLAP). It writes
strategy.json and, for other programs, dp_selection_strategy.npy to a directory:
--strategy of the other commands takes it.

Depths are measured on the first windows of --text, or by the questions of --mc.
That is the long part: for a model of 30 layers of which 10 may go, 245 times some
of its layers. Layers that candidates begin with are computed once. Every result is
stored in the directory at once, and --resume goes on after an interruption; it also
adds other widths or more depths to what is there.

` + questionFormat,
		Example: `  mminfer subnet select -m models/smollm2 --text calibration.txt -o strategy
  mminfer subnet select -m models/smollm2 --text calibration.txt --widths 1,0.8,0.6 -o strategy --resume
  mminfer subnet select -m models/llama --text calibration.txt --mc mmlu.jsonl --min-layers 20 -o strategy
  mminfer subnet select -m models/llama --text calibration.txt --depth-by influence --widths none -o strategy`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	modelFlag(c, &s.dir)
	f.StringVar(&s.text, "text", "", "calibrate on the text in `FILE`")
	f.StringVar(&s.mc, "mc", "", "choose depths by the questions in `FILE`")
	f.StringVarP(&s.out, "output", "o", "", "directory `DIR` to write to")
	f.Var(&s.minLayers, "min-layers", "fewest layers that remain (default: five of eight)")
	f.Lookup("min-layers").DefValue = ""
	f.Var(&s.keepLast, "keep-last", "layers at the end that are never removed")
	f.StringVar(&s.widths, "widths", "1,7/8,3/4,5/8", "`shares` of heads and neurons, or none")
	f.Var(&s.by, "depth-by", "how layers are chosen: by the dynamic program, by their influence on the stream in one pass, or none")
	f.Var(&s.widthBy, "width-by", "how heads and neurons are ranked: flap, or random to compare it with")
	f.Var(&s.metric, "metric", "what depths are measured by: nll, perplexity or accuracy (default: accuracy with --mc, else nll)")
	f.Var(&s.window, "window", "tokens of a window of the text")
	f.Var(&s.depthWindows, "depth-windows", "windows that depths are measured on")
	f.Var(&s.widthWindows, "width-windows", "windows that widths are measured on, as far as the text has them")
	f.Var(&s.mcMost, "mc-questions", "use the first n questions, 0 for all")
	f.Var(&s.mcContext, "mc-context", "tokens of a question that are read: its last ones")
	f.BoolVar(&s.refTruncate, "ref-truncate", false, "read the first tokens of a question of letters, as the reference does")
	f.BoolVar(&s.exact, "exact-biases", false, "do not round means to float16 for the biases, as the reference does")
	f.BoolVar(&s.resume, "resume", false, "go on with what is in the directory")
	f.BoolVarP(&s.verbose, "verbose", "v", false, "tell each stage on standard error")
	s.threads, s.quant = threadsFlag(c), quantFlag(c)
	_ = c.MarkFlagRequired("output")
	return a.command(c, s.run)
}

func (s *selection) run(ctx context.Context, _ []string) (err error) {
	if err := s.check(); err != nil {
		return err
	}
	if s.ck, err = openCheckpoint(s.dir); err != nil {
		return err
	}
	defer s.ck.Close()
	family, err := subnet.New(s.ck, nil, nil) // what cannot be cut need not be measured
	if err != nil {
		return err
	}
	if err := errors.Join(s.checkDepths(family.Layers), s.read()); err != nil {
		return err
	}
	if err := os.MkdirAll(s.out, 0o777); err != nil {
		return err
	}
	pool := tensor.NewPool(s.threads.value)
	defer pool.Close()
	bar := s.bar("packing weights", packingHidden, bytesText)
	s.selector, err = subnet.NewSelector(s.ck, models.Options{Format: s.quant.Format, Pool: pool, Progress: bar.set})
	bar.done()
	if err != nil {
		return err
	}
	defer s.selector.Close()
	strategy, err := s.choose(ctx)
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(s.stderr, "stopped; what was measured is in %s: go on with --resume\n", s.out)
	}
	if err != nil {
		return err
	}
	return s.write(strategy)
}

// check refuses flags that do not go together.
func (s *selection) check() (err error) {
	if s.widths != "none" {
		if s.ratios, err = subnet.ParseWidths(s.widths); err != nil {
			return usagef("--widths: %v", err)
		}
	}
	if s.metric.value == "" {
		s.metric.value = "nll"
		if s.mc != "" {
			s.metric.value = "accuracy"
		}
	}
	byText := s.by.value == "influence" || s.by.value == "program" && s.metric.value != "accuracy"
	switch {
	case s.by.value == "none" && s.ratios == nil:
		return usagef("there is nothing to choose: --depth-by none and --widths none")
	case s.text == "" && (byText || s.ratios != nil):
		return usagef("there is no text to calibrate on: give it with --text FILE")
	case s.mc == "" && s.by.value == "program" && s.metric.value == "accuracy":
		return usagef("--metric accuracy needs --mc FILE")
	case s.mc != "" && !(s.by.value == "program" && s.metric.value == "accuracy"):
		return usagef("--mc has no use with --depth-by %s and --metric %s", s.by.value, s.metric.value)
	}
	return nil
}

// checkDepths completes and refuses numbers of layers.
func (s *selection) checkDepths(layers int) error {
	if s.minLayers.value == 0 {
		s.minLayers.value = max(s.keepLast.value, (5*layers+7)/8)
	}
	switch fewest, last := s.minLayers.value, s.keepLast.value; {
	case s.by.value == "none":
	case last >= layers:
		return fmt.Errorf("--keep-last %d: the model has %d layers, expected fewer", last, layers)
	case fewest >= layers:
		return fmt.Errorf("--min-layers %d: the model has %d layers, expected fewer; --depth-by none chooses no layers", fewest, layers)
	case fewest < last:
		return fmt.Errorf("--min-layers %d: expected at least the %d of --keep-last", fewest, last)
	}
	return nil
}

// read reads text and questions.
func (s *selection) read() error {
	tok, err := tokenizerOf(s.ck)
	if err != nil {
		return err
	}
	if s.text != "" {
		text, _, err := s.readText(nil, s.text)
		if err != nil {
			return err
		}
		s.windows = subnet.Windows(tok.Encode(nil, text, textOptions), s.window.value)
		need := 1
		if s.ratios != nil {
			need = 2
		}
		if len(s.windows) < need {
			return fmt.Errorf("%s: the text has %d windows of %d tokens, at least %d are needed; give more text or a smaller --window", s.text, len(s.windows), s.window.value, need)
		}
	}
	if s.mc != "" {
		s.asked, err = questionReader{tok, s.mcContext.value, s.refTruncate}.read(s.mc, s.mcMost.value)
	}
	return err
}

// choose makes the strategy.
func (s *selection) choose(ctx context.Context) (*subnet.Strategy, error) {
	state, err := s.openState()
	if err != nil {
		return nil, err
	}
	strategy := new(subnet.Strategy)
	var depths map[int]subnet.Depth
	switch s.by.value {
	case "program":
		depths, err = s.program(ctx, state)
	case "influence":
		var influence []float64
		if influence, err = s.selector.Influence(ctx, s.windows[:min(len(s.windows), s.depthWindows.value)]); err == nil {
			depths, err = subnet.LeastInfluence(influence, s.keepLast.value, s.minLayers.value)
		}
	}
	if err != nil {
		return nil, err
	}
	if s.ratios != nil {
		f, err := s.fluctuations(ctx, state)
		if err != nil {
			return nil, err
		}
		scores, err := s.selector.Score(ctx, f)
		if err != nil {
			return nil, err
		}
		if s.widthBy.value == "random" {
			scores.Shuffle(rand.New(rand.NewPCG(1, 2)))
		}
		if strategy, err = s.selector.WidthsOf(ctx, f, scores, subnet.WidthOptions{Ratios: s.ratios, Exact: s.exact}); err != nil {
			return nil, err
		}
	}
	strategy.Depths = depths
	return strategy, nil
}

// program runs the dynamic programme.
func (s *selection) program(ctx context.Context, state *selectionState) (map[int]subnet.Depth, error) {
	cal := subnet.Calibration{Metric: subnet.Metric(s.metric.value), Questions: s.asked}
	if cal.Metric != subnet.Accuracy {
		cal.Questions, cal.Windows = nil, s.windows[:min(len(s.windows), s.depthWindows.value)]
	}
	judge, err := s.selector.Judge(cal, 1<<30)
	if err != nil {
		return nil, err
	}
	d := &subnet.DepthSearch{
		Layers: s.selector.Layers(), KeepLast: s.keepLast.value, MinLayers: s.minLayers.value, Higher: cal.Metric == subnet.Accuracy,
	}
	if d.Known, err = state.cells(cal, s.keepLast.value); err != nil {
		return nil, err
	}
	eta := newCellETA(d)
	bar := s.bar("choosing layers", time.Second, eta.text)
	defer bar.done()
	stage := 0
	err = d.Run(ctx, judge, func(c subnet.Cell) error {
		if s.verbose && c.Considered != stage {
			stage = c.Considered
			fmt.Fprintf(s.stderr, "layer %d may go: %d of %s\n", d.Layers-d.KeepLast-stage, len(d.Known), eta.text(int64(d.Cells())))
		}
		eta.measured(c)
		bar.set(int64(len(d.Known)), int64(d.Cells()))
		return state.save()
	})
	if err != nil {
		return nil, err
	}
	return d.Depths(), nil
}

// fluctuations gathers the statistics of the text.
func (s *selection) fluctuations(ctx context.Context, state *selectionState) (*subnet.Fluctuations, error) {
	windows := s.windows[:min(len(s.windows), s.widthWindows.value)]
	f, err := state.fluctuations(windows, s.selector.Layers())
	if err != nil {
		return nil, err
	}
	start, first, stored := time.Now(), f.Windows, f.Windows
	bar := s.bar("measuring heads and neurons", time.Second, func(n int64) string {
		return fmt.Sprintf("%d windows%s", n, remaining(time.Since(start), float64(f.Windows-first), float64(len(windows)-f.Windows)))
	})
	defer bar.done()
	last := time.Now()
	err = s.selector.Calibrate(ctx, f, windows, func() error {
		bar.set(int64(f.Windows), int64(len(windows)))
		if time.Since(last) < 10*time.Second {
			return nil
		}
		stored, last = f.Windows, time.Now()
		return state.saveFluctuations(f)
	})
	if f.Windows > stored {
		err = errors.Join(err, state.saveFluctuations(f))
	}
	return f, err
}

// write stores the strategy and tells what it is.
func (s *selection) write(strategy *subnet.Strategy) error {
	asJSON, err := strategy.JSON()
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"strategy.json": asJSON, "dp_selection_strategy.npy": strategy.NPY(s.selector.Layers())} {
		err := s.replaceFile(filepath.Join(s.out, name), func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		})
		if err != nil {
			return err
		}
	}
	if len(strategy.Depths) > 0 {
		w := tabwriter.NewWriter(s.out2(), 0, 0, 2, ' ', 0)
		metric := s.metric.value
		if s.by.value == "influence" {
			metric = "influence removed"
		}
		if s.by.value == "program" && s.asked != nil {
			fmt.Fprintf(s.out2(), "%s.\n\n", questionsText(s.asked))
		}
		fmt.Fprintf(w, "layers\t%s\tremoved\n", metric)
		for _, m := range slices.Sorted(maps.Keys(strategy.Depths)) {
			fmt.Fprintf(w, "%d\t%.6g\t%s\n", s.selector.Layers()-m, strategy.Depths[m].Metric, removedText(strategy.Depths[m].Kept))
		}
		_ = w.Flush() // s.app.out remembers the error
	}
	for i, w := range strategy.Widths {
		heads, neurons, allHeads, allNeurons := 0, 0, 0, 0
		for _, m := range strategy.Layers {
			heads, allHeads = heads+countTrue(m.Attention[i]), allHeads+len(m.Attention[i])
			neurons, allNeurons = neurons+countTrue(m.MLP[i]), allNeurons+len(m.MLP[i])
		}
		fmt.Fprintf(s.out2(), "width %-6.4g %5.1f %% of the heads, %5.1f %% of the neurons\n", w, 100*float64(heads)/float64(allHeads), 100*float64(neurons)/float64(allNeurons))
	}
	return nil
}

// out2 is standard output; the field out is a directory.
func (s *selection) out2() io.Writer { return s.app.out }

func countTrue(mask []bool) (n int) {
	for _, k := range mask {
		if k {
			n++
		}
	}
	return n
}

// removedText lists the layers that are not kept.
func removedText(kept []bool) string {
	var words []string
	for l, k := range kept {
		if !k {
			words = append(words, fmt.Sprint(l))
		}
	}
	return strings.Join(words, " ")
}

// remaining estimates the time that work left takes from that of the work done, "" before any is.
func remaining(elapsed time.Duration, done, left float64) string {
	if done <= 0 || elapsed < time.Second {
		return ""
	}
	d, unit := time.Duration(float64(elapsed)/done*left), time.Second
	if d > 10*time.Minute {
		unit = time.Minute
	}
	return fmt.Sprintf(", %v left", d.Round(unit))
}

// cellETA estimates the time that the rest of a search takes. A cell costs about the layers from its
// stage on that it keeps, and the head, which is some more.
type cellETA struct {
	d          *subnet.DepthSearch
	start      time.Time
	done, left float64
}

func newCellETA(d *subnet.DepthSearch) *cellETA {
	e := &cellETA{d: d, start: time.Now()}
	for n := 1; n <= d.Layers-d.KeepLast; n++ {
		for m := 1; m <= min(n, d.Layers-d.MinLayers); m++ {
			if c := (subnet.Cell{Considered: n, Removed: m}); !e.known(c) {
				e.left += e.cost(c)
			}
		}
	}
	return e
}

func (e *cellETA) known(c subnet.Cell) bool {
	_, ok := e.d.Known[c]
	return ok
}

func (e *cellETA) cost(c subnet.Cell) float64 {
	return float64(c.Considered - c.Removed + e.d.KeepLast + 4)
}

func (e *cellETA) measured(c subnet.Cell) { e.done, e.left = e.done+e.cost(c), e.left-e.cost(c) }

func (e *cellETA) text(n int64) string {
	return fmt.Sprintf("%d cells%s", n, remaining(time.Since(e.start), e.done, e.left))
}
