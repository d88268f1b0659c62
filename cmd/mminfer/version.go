package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/kernels"
)

// build describes this program.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"` // of the revision
	Modified bool   `json:"modified"`       // beyond the revision
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	ISA      string `json:"isa"` // the widest instruction set in use
}

func version() build {
	b := build{Version: "(devel)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, ISA: widestISA()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (b build) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "mminfer %s", b.Version)
	if b.Revision != "" {
		fmt.Fprintf(&s, " (%.12s, %s", b.Revision, b.Time)
		if b.Modified {
			s.WriteString(", modified")
		}
		s.WriteString(")")
	}
	fmt.Fprintf(&s, "\n%s %s/%s, %s", b.Go, b.OS, b.Arch, b.ISA)
	return s.String()
}

// widestISA returns the widest instruction set that a matrix product uses, or "portable".
func widestISA() string {
	isa := "portable"
	for _, k := range kernels.Implementations() {
		if strings.HasPrefix(k.Kernel, "gemm.") && k.Enabled() && k.Wider(isa) {
			isa = k.ISA
		}
	}
	return isa
}

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "version",
		Short:   "Tell the program's version and what it was built with",
		Example: "  mminfer version\n  mminfer version --json",
		Args:    cobra.NoArgs,
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return a.command(c, func(context.Context, []string) error {
		if asJSON {
			return writeJSON(a.out, version())
		}
		_, err := fmt.Fprintln(a.out, version())
		return err
	})
}
