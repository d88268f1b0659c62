package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// verify is the command of that name.
type verify struct {
	*app
	threads      *whole
	quant        *format
	split        whole
	batch, quiet bool
	shape        shapeFlag
	dump         string
	pool         *tensor.Pool
	dumped       []tensor.Tensor
	several      bool // directories
}

func (a *app) verifyCommand() *cobra.Command {
	v := &verify{app: a, split: whole{min: 0, max: math.MaxInt32}}
	c := &cobra.Command{
		Use:   "verify DIR...",
		Short: "Compare a model's numbers with reference values",
		Long: `Verify runs golden directories: above all models with prompts (verify.json) and
the values that a float64 reference computed for them (want.safetensors). It goes
through the sub-directories too. For every case and tensor it tells the largest absolute error,
the bound, and the error relative to what the reference itself errs in float32.

Subnets of one base (kind subnet) are computed in each form: corrections merged into
the weights, kept factored, and on weights that all shapes share.

Bare recurrences are compared in the same way. Directories of texts and tokens, of
sampling stages, of JSON schemas, of diffusion samplers and of choosing subnets are counted:
mismatches / cases for each file. Of diffusion networks and pipelines it tells the block,
step or picture that errs most, and of the built-in emoji model how near few steps come
to many.
Of pictures it tells the largest difference in levels of 255.

The result does not depend on --split, --batch or -t: --dump writes what was
computed, so that two runs can be compared byte for byte.`,
		Example: `  mminfer verify demo/fable
  mminfer verify models/testdata/golden --quiet
  mminfer verify demo/fable --split 7 --dump pieces.safetensors`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: directories,
	}
	v.threads, v.quant = threadsFlag(c), quantFlag(c)
	f := c.Flags()
	f.Var(&v.split, "split", "feed the prompts in pieces of n tokens, 0 for whole")
	f.BoolVar(&v.batch, "batch", false, "compute all cases of a directory as one ragged batch")
	f.Var(&v.shape, "shape", "of directories of subnets, only the cases of this shape, such as 24x0.75")
	f.StringVar(&v.dump, "dump", "", "write every tensor computed to `FILE`, a safetensors file")
	f.BoolVarP(&v.quiet, "quiet", "q", false, "one line for each directory")
	return a.command(c, v.run)
}

func (v *verify) run(ctx context.Context, args []string) error {
	if v.dump != "" {
		if err := checkFolder(v.dump); err != nil {
			return fmt.Errorf("--dump: %w", err)
		}
	}
	dirs, err := goldenDirs(args)
	if err != nil {
		return err
	}
	v.pool = tensor.NewPool(v.threads.value)
	defer v.pool.Close()
	v.several = len(dirs) > 1
	failed := 0
	var errs []error
	for _, d := range dirs {
		if err := ctx.Err(); err != nil {
			return err
		}
		ok, err := d.run(v, d)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", d.path, err))
		} else if !ok {
			failed++
		}
	}
	if failed > 0 {
		errs = append(errs, fmt.Errorf("%d of %d directories failed", failed, len(dirs)))
	}
	if v.dump != "" {
		errs = append(errs, v.replaceFile(v.dump, func(w io.Writer) error { return loader.Write(w, v.dumped, nil) }))
	}
	return errors.Join(errs...)
}

// goldenDir is a golden directory: its path, its name from the argument that it was found under,
// and what checks it.
type goldenDir struct {
	path, name string
	run        func(v *verify, d goldenDir) (ok bool, err error)
}

// goldenDirs finds the golden directories in and under the arguments, in order.
func goldenDirs(args []string) ([]goldenDir, error) {
	var dirs []goldenDir
	for _, root := range args {
		before := len(dirs)
		if _, err := os.Stat(root); err != nil {
			return nil, err
		}
		err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			run, ok := goldenKinds[d.Name()]
			sub := filepath.Dir(filepath.FromSlash(path))
			switch d.Name() {
			case "cases.json":
				ok = golden.IsSelection(filepath.Join(root, path))
			case "model_index.json":
				run, ok = (*verify).drawing, aloneDrawing(filepath.Join(root, sub))
			}
			if ok {
				dirs = append(dirs, goldenDir{filepath.Join(root, sub), filepath.ToSlash(filepath.Join(modelName(root), sub)), run})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		slices.SortFunc(dirs[before:], func(a, b goldenDir) int { return strings.Compare(a.name, b.name) })
		if len(dirs) == before {
			return nil, fmt.Errorf("%s: neither it nor a directory in it holds a verify.json or cases of another known kind", root)
		}
	}
	return dirs, nil
}

// directory runs one golden directory. The names of dumped tensors begin with its own where there
// are several.
func (v *verify) directory(d goldenDir) (ok bool, err error) {
	suite, err := golden.Open(d.path)
	if err != nil {
		return false, err
	}
	defer suite.Close()
	if suite.Kind == "subnet" {
		return v.subnets(d, suite)
	}
	ck, err := loader.Open(d.path)
	if err != nil {
		return false, err
	}
	defer ck.Close()
	m, err := models.New(ck, models.Options{Format: v.quant.Format, Pool: v.pool})
	if err != nil {
		return false, err
	}
	defer m.Close()
	results, out, err := suite.Run(m, &tensor.Workspace{Pool: v.pool}, v.feed())
	if err != nil {
		return false, err
	}
	v.keep(d, out, m.Width, m.Vocab)
	return v.tell(d, results, formatName(ck, v.quant.Format)), nil
}

// feed is how prompts are fed.
func (v *verify) feed() golden.Options {
	return golden.Options{Split: v.split.value, Batch: v.batch}
}

// keep remembers what was computed where it is to be dumped.
func (v *verify) keep(d goldenDir, out golden.Output, width, vocab int) {
	if v.dump == "" {
		return
	}
	prefix := ""
	if v.several {
		prefix = d.name + "/"
	}
	v.dumped = append(v.dumped, dumpTensors(prefix, out, width, vocab)...)
}

// tell writes the results of a directory.
func (v *verify) tell(d goldenDir, results []golden.Result, format string) (ok bool) {
	if v.quiet {
		return v.line(d, results)
	}
	return v.table(d, results, format)
}

// line writes one line for a directory.
func (v *verify) line(d goldenDir, results []golden.Result) (ok bool) {
	worst := golden.Result{Bound: 1}
	for _, r := range results {
		if !r.OK() {
			fmt.Fprintf(v.out, "%s  %s: %s\n", v.verdict(false), d.path, describe(r))
			return false
		}
		if r.Bound > 0 && r.MaxError/r.Bound > worst.MaxError/worst.Bound {
			worst = r
		}
	}
	fmt.Fprintf(v.out, "%s  %s: %d tensors, largest error %.2f of its bound\n", v.verdict(true), d.path, len(results), worst.MaxError/worst.Bound)
	return true
}

// table writes a row for each tensor, then what broke first.
func (v *verify) table(d goldenDir, results []golden.Result, format string) (ok bool) {
	fmt.Fprintf(v.out, "%s, %s\n", d.path, format)
	w := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  case\ttensor\tmax error\tbound\terror / float32\t")
	var broken []golden.Result
	for _, r := range results {
		if r.Of == "greedy" || r.Of == "shape" {
			what := map[string]string{"greedy": "greedy ids", "shape": "layers, heads, neurons"}[r.Of]
			fmt.Fprintf(w, "  %s\t%s\t\t\t\t%s\n", r.Case, what, v.verdict(r.OK()))
		} else {
			share := "-"
			if r.Float32Error > 0 {
				share = fmt.Sprintf("%.2f", r.MaxError/r.Float32Error)
			}
			fmt.Fprintf(w, "  %s\t%s\t%.3g\t%.3g\t%s\t%s\n", r.Case, r.Of, r.MaxError, r.Bound, share, v.verdict(r.OK()))
		}
		if !r.OK() && (len(broken) == 0 || broken[len(broken)-1].Case != r.Case) {
			broken = append(broken, r)
		}
	}
	_ = w.Flush() // v.out remembers the error
	for _, r := range broken {
		fmt.Fprintf(v.out, "  first wrong in case %s\n", describe(r))
	}
	fmt.Fprintln(v.out)
	return len(broken) == 0
}

func (v *verify) verdict(ok bool) string {
	if ok {
		return v.outStyle.green("pass")
	}
	return v.outStyle.red("FAIL")
}

// describe says what is wrong with a result.
func describe(r golden.Result) string {
	if r.Note != "" {
		return fmt.Sprintf("%s: %s: %s", r.Case, r.Of, r.Note)
	}
	return fmt.Sprintf("%s: %s: error %.3g, bound %.3g", r.Case, r.Of, r.MaxError, r.Bound)
}
