package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/constrain"
)

// constraintFlags hold the generated text to a form.
type constraintFlags struct {
	schema, regex, grammar string
	command                *cobra.Command
	compiled               *constrain.Grammar // nil: none
}

func newConstraintFlags(c *cobra.Command) *constraintFlags {
	f := &constraintFlags{command: c}
	c.Flags().StringVar(&f.schema, "json-schema", "", "generate one JSON value that satisfies the JSON Schema in `FILE`")
	c.Flags().StringVar(&f.regex, "regex", "", "generate a text that matches this regular `expression` as a whole")
	c.Flags().StringVar(&f.grammar, "grammar", "", "generate a text of the grammar in `FILE`, in llama.cpp's language GBNF")
	c.MarkFlagsMutuallyExclusive("json-schema", "regex", "grammar")
	return f
}

// compile reads what the flags give. It is called before the model is loaded, which takes longer.
func (f *constraintFlags) compile() (err error) {
	changed := f.command.Flags().Changed
	switch {
	case changed("json-schema"):
		err = f.file(f.schema, func(src []byte) (*constrain.Grammar, error) { return constrain.JSONSchema(src) })
	case changed("grammar"):
		err = f.file(f.grammar, func(src []byte) (*constrain.Grammar, error) { return constrain.GBNF(string(src)) })
	case changed("regex"):
		f.compiled, err = constrain.Regexp(f.regex)
	}
	return err
}

func (f *constraintFlags) file(name string, compile func([]byte) (*constrain.Grammar, error)) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.Size() > constrain.MaxSourceBytes {
		return fmt.Errorf("%s: %d bytes, expected at most %d", name, info.Size(), constrain.MaxSourceBytes)
	}
	src, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if f.compiled, err = compile(src); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// bind adds the constraint to the options. It notes on standard error if the tokens may not
// suffice to complete the text.
func (f *constraintFlags) bind(a *app, e *mminfer.Engine, o *mminfer.GenerateOptions) (err error) {
	if f.compiled == nil {
		return nil
	}
	if n := f.compiled.Shortest(); o.MaxTokens > 0 && o.MaxTokens < n {
		fmt.Fprintf(a.stderr, "note: -n %d may end the text before it is complete: the shortest has %d bytes\n", o.MaxTokens, n)
	}
	o.Constraint, err = e.Constrain(f.compiled)
	return err
}
