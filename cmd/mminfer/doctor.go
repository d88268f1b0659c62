package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/klauspost/cpuid/v2"
	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/kernels"
)

// diagnosis is what doctor tells.
type diagnosis struct {
	Build  build        `json:"build"`
	CPU    cpuInfo      `json:"cpu"`
	Memory memoryInfo   `json:"memory"`
	Kernel []kernelInfo `json:"kernels"`
	Limits []limits     `json:"limits,omitempty"` // of 1 thread and of all
	Notes  []string     `json:"notes"`
}

type cpuInfo struct {
	Brand      string `json:"brand"`
	Sockets    int    `json:"sockets"`
	Cores      int    `json:"cores"`
	Threads    int    `json:"threads"`
	GOMAXPROCS int    `json:"gomaxprocs"`
	L1D        int    `json:"l1d_bytes"` // of a core; caches are 0 where unknown
	L2         int    `json:"l2_bytes"`
	L3         int    `json:"l3_bytes"` // of a group of cores that share one
	L3Groups   int    `json:"l3_groups"`
}

type memoryInfo struct {
	Total     int64 `json:"total_bytes"` // 0 where unknown
	Available int64 `json:"available_bytes"`
}

// kernelInfo says which implementation a kernel uses, and which this machine could use.
type kernelInfo struct {
	Kernel    string   `json:"kernel"`
	Uses      string   `json:"uses"`
	Supported []string `json:"supported"`
}

func (a *app) doctorCommand() *cobra.Command {
	var asJSON, quick bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Describe the machine and what the engine uses of it",
		Long: `Doctor tells the processor, its caches, the memory, the kernels in use and, measured
in some seconds on an idle machine, how fast it reads memory and multiplies.`,
		Example: "  mminfer doctor\n  mminfer doctor --quick --json\n  MMINFER_CPU=AVX2 mminfer doctor",
		Args:    cobra.NoArgs,
	}
	c.Flags().BoolVar(&quick, "quick", false, "measure nothing")
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return a.command(c, func(ctx context.Context, _ []string) error {
		d := a.diagnose()
		for _, threads := range measuredThreads(quick) {
			l, err := measureLimits(ctx, threads)
			if err != nil {
				return err
			}
			d.Limits = append(d.Limits, l)
		}
		if asJSON {
			return writeJSON(a.out, d)
		}
		return d.write(a.out)
	})
}

// measuredThreads are the numbers of threads to measure with.
func measuredThreads(quick bool) []int {
	switch all := runtime.GOMAXPROCS(0); {
	case quick:
		return nil
	case all > 1:
		return []int{1, all}
	}
	return []int{1}
}

func (a *app) diagnose() diagnosis {
	c, t := cpuid.CPU, cpuid.CPU.Topology()
	d := diagnosis{Build: version(), Memory: memory(), Kernel: kernelsInUse(), Notes: []string{}, CPU: cpuInfo{
		Brand: strings.TrimSpace(c.BrandName), Sockets: t.NumPackages(), Cores: t.NumCores(), Threads: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		L1D: max(0, c.Cache.L1D), L2: max(0, c.Cache.L2), L3: max(0, c.Cache.L3),
	}}
	for _, p := range t.Packages {
		d.CPU.L3Groups += len(p.Groups)
	}
	if isa := a.env["MMINFER_CPU"]; isa != "" {
		d.note("MMINFER_CPU=%s limits the kernels", isa)
	}
	if len(d.Kernel) == 0 {
		d.note("this program has no assembly kernels for %s: everything runs in portable Go", runtime.GOARCH)
	}
	if n := runtime.NumCPU(); d.CPU.GOMAXPROCS < n {
		d.note("GOMAXPROCS is %d of %d processors", d.CPU.GOMAXPROCS, n)
	}
	return d
}

func (d *diagnosis) note(format string, args ...any) {
	d.Notes = append(d.Notes, fmt.Sprintf(format, args...))
}

// kernelsInUse lists the kernels that have assembly, by name.
func kernelsInUse() []kernelInfo {
	list := []kernelInfo{}
	for _, i := range kernels.Implementations() {
		if len(list) == 0 || list[len(list)-1].Kernel != i.Kernel {
			list = append(list, kernelInfo{Kernel: i.Kernel, Uses: "portable", Supported: []string{"portable"}})
		}
		k := &list[len(list)-1]
		if i.Supported {
			k.Supported = append(k.Supported, i.ISA)
		}
		if i.Enabled() {
			k.Uses = i.ISA
		}
	}
	return list
}

func (d *diagnosis) write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\n\n", d.Build)
	fmt.Fprintf(w, "processor\t%s\n", d.CPU.Brand)
	fmt.Fprintf(w, "topology\t%d socket(s), %d cores, %d processors, GOMAXPROCS %d\n", d.CPU.Sockets, d.CPU.Cores, d.CPU.Threads, d.CPU.GOMAXPROCS)
	fmt.Fprintf(w, "caches\tL1 %s, L2 %s a core; L3 %s in %d group(s)\n", cacheText(d.CPU.L1D), cacheText(d.CPU.L2), cacheText(d.CPU.L3), d.CPU.L3Groups)
	if d.Memory.Total > 0 {
		fmt.Fprintf(w, "memory\t%s, %s available\n", bytesText(d.Memory.Total), bytesText(d.Memory.Available))
	}
	for _, l := range d.Limits {
		fmt.Fprintf(w, "%d thread(s)\treads %.1f GB/s; float32 %.0f GFLOP/s; int8 %.0f GOP/s\n", l.Threads, l.Read, l.FMA, l.Int8)
	}
	fmt.Fprintln(w, "\nkernel\tuses\tthis machine has")
	for _, k := range d.Kernel {
		fmt.Fprintf(w, "%s\t%s\t%s\n", k.Kernel, k.Uses, strings.Join(k.Supported, " "))
	}
	for _, n := range d.Notes {
		fmt.Fprintf(w, "\nnote: %s\n", n)
	}
	return w.Flush()
}

// cacheText writes a cache's size.
func cacheText(n int) string {
	switch {
	case n <= 0:
		return "unknown"
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
