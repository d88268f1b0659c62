package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/kernels"
)

// The exit codes.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// grace is how long an interrupted command may take to end by itself, at the next token or piece
// of the prompt.
const grace = 2 * time.Second

// app is one run of the program.
type app struct {
	stdin       io.Reader
	out         *output // standard output
	stderr      io.Writer
	env         map[string]string
	signals     chan os.Signal
	interactive bool // a person types on standard input
	outStyle    style
	errStyle    style

	started atomic.Bool                        // the command's own work began: errors are not about usage any more
	reply   atomic.Pointer[context.CancelFunc] // ends a chat's reply, which an interrupt then does
	saving  sync.Mutex                         // held while a file is replaced
	status  statusLine
}

// run is the program: it returns the exit code. The end of ctx is an interruption.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	a := newApp(stdin, stdout, stderr, env)
	if !signal.Ignored(os.Interrupt) {
		signal.Notify(a.signals, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(a.signals)
	}
	return a.run(ctx, args)
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, env []string) *app {
	a := &app{stdin: stdin, out: &output{w: stdout}, stderr: stderr, env: map[string]string{}, signals: make(chan os.Signal, 2)}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		a.env[name] = value
	}
	a.interactive = isTerminal(stdin)
	a.outStyle, a.errStyle = newStyle(stdout, a.env), newStyle(stderr, a.env)
	a.status.to = stderr
	a.status.visible = isTerminal(stderr) && a.env["TERM"] != "dumb"
	return a
}

func (a *app) run(ctx context.Context, args []string) int {
	if isa := a.env["MMINFER_CPU"]; isa != "" {
		if err := kernels.Limit(isa); err != nil {
			return a.report(nil, usageError{fmt.Errorf("MMINFER_CPU: %w", err)})
		}
	}
	root := a.root()
	root.SetArgs(args)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		cmd, err := root.ExecuteContextC(ctx)
		done <- result{cmd, err}
	}()
	return a.wait(ctx, cancel, done)
}

// result is how a command ended.
type result struct {
	cmd *cobra.Command
	err error
}

// wait waits for a command to end. The first interruption ends a chat's reply, if there is one
// under way, or else cancels ctx; a second one, or the time of grace, leaves the command behind.
func (a *app) wait(ctx context.Context, cancel context.CancelFunc, done <-chan result) int {
	interrupted := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case r := <-done:
			return a.report(r.cmd, r.err)
		case s := <-a.signals:
			stop := a.reply.Swap(nil)
			switch {
			case late != nil:
				return a.abandon()
			case stop != nil && s == os.Interrupt:
				(*stop)()
			default:
				cancel()
				interrupted, late = nil, time.After(grace)
			}
		case <-interrupted:
			interrupted, late = nil, time.After(grace)
		case <-late:
			return a.abandon()
		}
	}
}

// abandon leaves a command that does not end, but not a file half written.
func (a *app) abandon() int {
	a.saving.Lock()
	a.status.end()
	return exitInterrupted
}

// report prints what went wrong, if anything, and returns the exit code.
func (a *app) report(cmd *cobra.Command, err error) int {
	a.status.clear()
	if err == nil {
		err = a.out.err
	}
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		if a.out.last != '\n' && isTerminal(a.stderr) {
			fmt.Fprintln(a.stderr) // after the ^C that the terminal shows
		}
		return exitInterrupted
	case errors.Is(err, syscall.EPIPE):
		return exitError // nobody reads what we would say
	case errors.As(err, &usage) || !a.started.Load() && a.out.err == nil:
		hint := "mminfer --help"
		if cmd != nil {
			hint = cmd.CommandPath() + " --help"
		}
		fmt.Fprintf(a.stderr, "%s\nRun '%s' for usage.\n", message(err), hint)
		return exitUsage
	}
	fmt.Fprintln(a.stderr, message(err))
	return exitError
}

// message is the line that tells an error.
func message(err error) string {
	return "mminfer: " + strings.TrimPrefix(strings.TrimSpace(err.Error()), "mminfer: ")
}

// usageError is an error in how the program was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// root is the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mminfer",
		Short: "Run sequence models that carry a state instead of a cache",
		Long: `mminfer runs sequence models that carry a state instead of a cache: mixtures of
memories, Mamba, linear attention and their hybrids with attention. Two small models
are built in: fable tells stories, reader reads pictures. Commands use fable, and
reader where a picture is given, unless -m names a model directory (config.json,
safetensors, tokenizer.json) or a GGUF file.

The environment variable MMINFER_CPU (portable; AVX2, AVXVNNI, AVX512,
AVX512VNNI, AVX512BF16; NEON, NEONDOT) limits the instruction sets used; results
do not depend on it.
NO_COLOR turns colours off.

Exit codes: 0 success, 1 error, 2 wrong usage, 130 interrupted.`,
		Example: `  mminfer generate "Once upon a time"
  mminfer generate --image sign.png "What does it say?"
  mminfer chat
  mminfer inspect --tensors`,
		// Printed by cobra as "mminfer version ...". A template of our own would link text/template and
		// with it every exported method: 2.4 MB.
		Version:       strings.TrimPrefix(version().String(), "mminfer "),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.Flags().Bool("version", false, "tell the program's version") // -v is not its short form
	root.SetOut(a.out)
	root.SetErr(a.stderr)
	root.SetIn(a.stdin)
	root.AddCommand(a.generateCommand(), a.chatCommand(), a.embedCommand(), a.inspectCommand(), a.tokenizeCommand(), a.detokenizeCommand(),
		a.templateCommand(), a.imageCommand(), a.solversCommand(), a.verifyCommand(), a.subnetCommand(),
		a.quantizeCommand(), a.packCommand(),
		a.perplexityCommand(), a.kldCommand(), a.benchCommand(), a.synthCommand(), a.doctorCommand(), a.versionCommand())
	return root
}

// command completes a command whose work is f.
func (a *app) command(c *cobra.Command, f func(ctx context.Context, args []string) error) *cobra.Command {
	c.Flags().SortFlags = false
	c.RunE = func(cmd *cobra.Command, args []string) error {
		a.started.Store(true)
		return f(cmd.Context(), args)
	}
	return c
}

// output is standard output; it remembers its first error, so that no command has to.
type output struct {
	w    io.Writer
	err  error
	last byte // written, 0 before the first
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	o.err = err
	if n > 0 {
		o.last = p[n-1]
	}
	return n, err
}
