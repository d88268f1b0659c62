package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/subnet"
)

// shapeList is the command subnet list.
type shapeList struct {
	*shapes
	only            list[shapeFlag, *shapeFlag]
	form            choice
	measure, layers bool
}

func (a *app) subnetListCommand() *cobra.Command {
	l := &shapeList{form: formFlag()}
	c := &cobra.Command{
		Use:   "list -m MODEL --strategy DIR",
		Short: "List the shapes of a model, their sizes and speeds",
		Long: `List tells the parameters of every shape that a strategy has, the memory it takes
by itself, and how fast it is: as predicted from a grid of shapes that was measured
on this machine (--measure, or subnet search), and with --measure as measured.

With --kept it tells which layers each shape keeps, and how much of them.`,
		Example: `  mminfer subnet list -m models/smollm2 --strategy strategy
  mminfer subnet list -m models/smollm2 --strategy strategy --measure
  mminfer subnet list -m models/smollm2 --strategy strategy --shape 20x0.75 --kept`,
		Args: cobra.NoArgs,
	}
	l.shapes = newShapes(a, c)
	f := c.Flags()
	f.Var(&l.only, "shape", "list these shapes")
	f.BoolVar(&l.measure, "measure", false, "measure the speed of every shape listed")
	f.BoolVar(&l.layers, "kept", false, "tell the layers, heads and neurons that are kept")
	f.VarP(&l.form, "output", "o", "form of the table: md, csv or json")
	return a.command(c, l.run)
}

func (l *shapeList) run(ctx context.Context, _ []string) error {
	defer l.close()
	if err := l.open(); err != nil {
		return err
	}
	which, err := l.chosen(&l.only)
	if err != nil {
		return err
	}
	if l.layers {
		return l.kept(which)
	}
	model, err := l.timeModel(ctx, l.measure, l.measure)
	if err != nil {
		return err
	}
	rows, err := l.rows(ctx, which, model)
	if err != nil {
		return err
	}
	if err := writeShapes(l.out, l.form.value, rows); err != nil || l.form.value != "md" {
		return err
	}
	if model == nil {
		fmt.Fprintln(l.out, "\nHow fast they are is not known: --measure measures it.")
	} else {
		fmt.Fprintf(l.out, "\nPredicted on %d threads: %.2f ms + %.3f ms a layer + bytes at %.1f GB/s; R² %.4f on the grid measured.\n",
			l.threads.value, 1e3*model.Base, 1e3*model.Layer, 1e-9/max(model.Byte, 1e-15), model.R2)
	}
	return nil
}

// rows describes shapes; with --measure all are in memory at once, and measured in turns.
func (l *shapeList) rows(ctx context.Context, which []subnet.Shape, model *subnet.TimeModel) (rows []shapeRow, err error) {
	var all []*shapeModel
	defer func() {
		for _, b := range all {
			b.Close()
		}
	}()
	for _, shape := range which {
		b, err := l.build(shape)
		if err != nil {
			return nil, err
		}
		r := l.row(b)
		if model != nil {
			ms := 1e3 * model.Predict(r.Layers, r.step)
			r.Predicted = &ms
		}
		if rows = append(rows, r); l.measure {
			all = append(all, b)
		} else {
			b.Close()
		}
	}
	if !l.measure {
		return rows, nil
	}
	runtime.GC()
	times, err := l.time(ctx, all, timedRounds)
	for i, t := range times {
		wall, cpu := 1e3*t.Seconds, 1e3*t.CPU
		rows[i].Measured, rows[i].CPU = &wall, &cpu
	}
	return rows, err
}

// kept tells what is kept of each layer.
func (l *shapeList) kept(which []subnet.Shape) error {
	return l.each(which, func(b *shapeModel) error {
		fmt.Fprintf(l.out, "%v", b.cut.Shape)
		if b.cut.Gates != nil {
			fmt.Fprintf(l.out, ", gates %s", strings.Trim(fmt.Sprint(b.cut.Gates), "[]"))
		}
		fmt.Fprintln(l.out)
		table := [][]string{{"layer", "heads", "neurons"}}
		for _, layer := range b.cut.Layers {
			table = append(table, []string{fmt.Sprint(layer.Index), fmt.Sprint(len(layer.Heads)), fmt.Sprint(len(layer.Neurons))})
		}
		return writeMarkdown(l.out, table)
	})
}
