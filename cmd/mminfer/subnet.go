package main

import (
	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/tokenizer"
)

// textOptions encode texts that are calibrated on: control tokens written in them are text.
var textOptions = tokenizer.EncodeOptions{}

func (a *app) subnetCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "subnet",
		Short: "Choose, list, export and measure subnets of one model",
		Long: `A subnet is a model of some of another one's layers, and of some heads and neurons in
each: its shape, such as 24x0.75, says how many layers and which share of the rest.
Select chooses what each shape keeps; the result is a strategy, which generate, chat,
bench and the commands below take with --strategy and --shape. Nothing is trained:
what a subnet forgets, an adapter can restore (--adapter).`,
		Example: `  mminfer subnet select -m models/smollm2 --text calibration.txt -o strategy
  mminfer subnet list -m models/smollm2 --strategy strategy --measure
  mminfer subnet search -m models/smollm2 --strategy strategy --latency 20
  mminfer generate -m models/smollm2 --strategy strategy --shape 24x0.75 "Once upon a time"`,
	}
	c.AddCommand(a.subnetSelectCommand(), a.subnetListCommand(), a.subnetSearchCommand(), a.subnetEvalCommand(), a.subnetExportCommand())
	return c
}
