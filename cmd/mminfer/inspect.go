package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// inspected describes a model.
type inspected struct {
	Model       string           `json:"model"`
	Type        string           `json:"type"`
	Layers      int              `json:"layers"`
	Attentions  int              `json:"attention_layers,omitempty"` // that keep keys and values
	Width       int              `json:"width"`
	Vocab       int              `json:"vocab"`
	Parameters  int64            `json:"parameters"`
	TensorCount int              `json:"tensor_count"`
	Bytes       int64            `json:"bytes"`              // of all tensors in the checkpoint
	ByType      map[string]int64 `json:"bytes_by_type"`      // element type to bytes
	StateBytes  int64            `json:"state_bytes"`        // of a session
	GrowthBytes int64            `json:"bytes_per_token"`    // that a session grows by
	Pictures    *pictureInfo     `json:"pictures,omitempty"` // none: it takes none
	Subnet      *subnetInfo      `json:"subnet,omitempty"`   // none: the model is whole
	Notes       []string         `json:"notes,omitempty"`    // what is odd about the checkpoint
	Tensors     []tensorInfo     `json:"tensors,omitempty"`

	fixed int // layers that keep a state of fixed size
}

// subnetInfo is what is kept of a model.
type subnetInfo struct {
	Shape   string    `json:"shape"`
	Gates   []float32 `json:"gates,omitempty"` // of the adapter's experts
	Layers  []int     `json:"layers"`          // of the whole model
	Heads   []int     `json:"heads"`           // of each of them
	Neurons []int     `json:"neurons"`
}

// pictureInfo is how a model takes pictures.
type pictureInfo struct {
	TileSize  int  `json:"tile_size"`  // pixels along a side
	PatchSize int  `json:"patch_size"` // pixels along a side
	Tokens    int  `json:"tokens_per_tile"`
	MinTiles  int  `json:"min_tiles"`
	MaxTiles  int  `json:"max_tiles"`
	Thumbnail bool `json:"thumbnail"` // one more tile where there are several
	TokenID   int  `json:"token_id"`
}

func (p *pictureInfo) String() string {
	tiles := "1 tile"
	if p.MaxTiles > 1 {
		tiles = fmt.Sprintf("%d to %d tiles", p.MinTiles, p.MaxTiles)
		if p.Thumbnail {
			tiles += " and a thumbnail"
		}
	}
	return fmt.Sprintf("%s of %d x %d pixels in patches of %d x %d; %s a tile", tiles, p.TileSize, p.TileSize, p.PatchSize, p.PatchSize, tokensText(int64(p.Tokens)))
}

type tensorInfo struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
	Bytes int    `json:"bytes"`
}

func (a *app) inspectCommand() *cobra.Command {
	var tensors, asJSON bool
	c := &cobra.Command{
		Use:   "inspect [DIR]",
		Short: "Describe a model without loading it",
		Long: `Inspect checks a model directory or GGUF file against its architecture, without packing weights,
and tells its size, the memory of a session, how it takes pictures if it does and,
with --tensors, every tensor.
Without DIR it describes the built-in model.`,
		Example: `  mminfer inspect
  mminfer inspect reader
  mminfer inspect demo/fable --tensors
  mminfer inspect --json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: modelPaths,
	}
	c.Flags().BoolVar(&tensors, "tensors", false, "list the tensors")
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	cut := newSubnetFlags(c).shapeOf()
	return a.command(c, func(_ context.Context, args []string) error {
		dir := ""
		if len(args) > 0 {
			dir = args[0]
		}
		i, err := inspect(dir, tensors, cut)
		if err != nil {
			return err
		}
		if asJSON {
			return writeJSON(a.out, i)
		}
		return i.write(a.out)
	})
}

// modelPaths completes arguments with directories and GGUF files.
func modelPaths(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"gguf"}, cobra.ShellCompDirectiveFilterFileExt
}

// directories completes arguments with directories.
func directories(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

func inspect(dir string, tensors bool, cut *subnetFlags) (*inspected, error) {
	whole, err := openCheckpoint(dir)
	if err != nil {
		return nil, err
	}
	defer whole.Close()
	ck, err := cut.open(whole, cut.shape, tensor.FormatAuto)
	if err != nil {
		return nil, err
	}
	defer ck.Close()
	m, err := models.New(ck.model, models.Options{BindOnly: true})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	i := &inspected{
		Model: modelName(dir), Type: m.Type, Layers: m.Layers(), Width: m.Width, Vocab: m.Vocab, Parameters: m.Params,
		ByType:     map[string]int64{},
		StateBytes: int64(4 * m.StateFloats()), GrowthBytes: int64(m.BytesPerToken()),
	}
	if p, ok := m.Pictures(); ok {
		i.Pictures = &pictureInfo{p.Size, p.Patch, p.Rows, p.MinTiles, p.MaxTiles, p.Thumbnail, int(p.Token)}
	}
	i.Notes = m.Notes
	i.fixed, i.Attentions = m.LayerKinds()
	if s := ck.subnet; s != nil {
		i.Subnet = &subnetInfo{Shape: s.Shape.String(), Gates: s.Gates}
		for _, l := range s.Layers {
			i.Subnet.Layers = append(i.Subnet.Layers, l.Index)
			i.Subnet.Heads, i.Subnet.Neurons = append(i.Subnet.Heads, len(l.Heads)), append(i.Subnet.Neurons, len(l.Neurons))
		}
	}
	i.addTensors(ck.model, tensors)
	return i, nil
}

func (i *inspected) addTensors(ck models.Checkpoint, list bool) {
	for _, name := range ck.Names() {
		t, _ := ck.Tensor(name)
		bytes := len(t.Data)
		if t.Data == nil {
			bytes = t.Elements() * t.Type.Size()
		}
		i.TensorCount++
		i.Bytes += int64(bytes)
		i.ByType[t.Type.String()] += int64(bytes)
		if list {
			i.Tensors = append(i.Tensors, tensorInfo{name, t.Type.String(), append([]int{}, t.Shape...), bytes})
		}
	}
}

func (i *inspected) write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var types []string
	for _, t := range slices.Sorted(maps.Keys(i.ByType)) {
		types = append(types, fmt.Sprintf("%s in %s", bytesText(i.ByType[t]), t))
	}
	growth := "none: it does not depend on the length of the text"
	if i.GrowthBytes > 0 {
		growth = grouped(i.GrowthBytes) + " bytes a token"
	}
	layers := grouped(int64(i.Layers))
	if i.Attentions > 0 {
		layers += fmt.Sprintf(": %d with a state of fixed size, %d with keys and values", i.fixed, i.Attentions)
	}
	rows := [][2]string{
		{"model", i.Model},
		{"architecture", i.Type},
		{"layers", layers},
		{"width", grouped(int64(i.Width))},
		{"vocabulary", tokensText(int64(i.Vocab))},
		{"parameters", grouped(i.Parameters)},
		{"tensors", fmt.Sprintf("%s: %s", grouped(int64(i.TensorCount)), strings.Join(types, ", "))},
		{"session", grouped(i.StateBytes) + " bytes"},
		{"growth", growth},
	}
	if i.Pictures != nil {
		rows = append(rows, [2]string{"pictures", i.Pictures.String()})
	}
	if s := i.Subnet; s != nil {
		list := func(v any) string { return strings.Trim(fmt.Sprint(v), "[]") }
		rows = append(rows, [][2]string{{"shape", s.Shape}, {"kept layers", list(s.Layers)}, {"their heads", list(s.Heads)}, {"their neurons", list(s.Neurons)}}...)
		if s.Gates != nil {
			rows = append(rows, [2]string{"gates", list(s.Gates)})
		}
	}
	for _, note := range i.Notes {
		rows = append(rows, [2]string{"note", note})
	}
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	if err := w.Flush(); err != nil || len(i.Tensors) == 0 {
		return err
	}
	fmt.Fprintln(w, "\nname\ttype\tshape\tbytes")
	for _, t := range i.Tensors {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Name, t.Type, strings.ReplaceAll(strings.Trim(fmt.Sprint(t.Shape), "[]"), " ", " x "), grouped(int64(t.Bytes)))
	}
	return w.Flush()
}
