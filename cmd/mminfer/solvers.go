package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/diffusion/pipeline"
)

func (a *app) solversCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "solvers",
		Short: "List the solvers of mminfer image",
		Long: `Solvers lists the methods by which mminfer image draws, with the order of their error,
how often they ask the network for n steps, and their options. Guidance asks twice.

Where no solver is named, the model's own scheduler runs, with its own options.`,
		Example: `  mminfer solvers
  mminfer image --class heart --solver unipc-2 --steps 10`,
		Args: cobra.NoArgs,
	}
	return a.command(c, a.solvers)
}

func (a *app) solvers(context.Context, []string) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "solver\tmethod\torder\tcalls\toptions")
	smooth := pipeline.Spacings()[7:]
	for _, s := range pipeline.Solvers() {
		var options []string
		if s.Name == "dpm-adaptive" {
			options = append(options, "--tolerance")
		}
		if s.Eta {
			options = append(options, "--eta")
		}
		if s.Noisy {
			options = append(options, "draws noise")
		}
		if s.Smooth {
			options = append(options, "--spacing "+strings.Join(smooth, ", ")+" too")
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", s.Name, s.Title, s.Order, s.Calls, strings.Join(options, "; "))
	}
	_ = w.Flush() // a.out remembers the error
	fmt.Fprintf(a.out, "\nEvery solver but dpm-adaptive takes --steps and --spacing %s.\n", strings.Join(pipeline.Spacings()[:7], ", "))
	return nil
}
