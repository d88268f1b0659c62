package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/diffusion/net"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tensor"
)

// A Kind is what a pipeline draws from and in.
type Kind int

// Pixels draws in the values of pixels, from a class or from nothing. ClassToLatent and TextToImage draw
// in the latents of an autoencoder.
const (
	Pixels Kind = iota
	ClassToLatent
	TextToImage
)

// String names the kind.
func (k Kind) String() string {
	return [...]string{"pixels", "class to latent", "text to image"}[k]
}

// Options say how to open a pipeline. The zero value computes on one thread, in the precision of the files.
type Options struct {
	Format   tensor.Format
	Pool     *tensor.Pool                         // of packing and of drawing
	VAE      string                               // a directory with another autoencoder, such as TAESD, in place of the folder's own
	Progress func(part string, done, total int64) // bytes of weights packed
	Plain    bool                                 // convolutions are sums of products in every format: see [net.Options]
}

// A Pipeline is an open folder. It is immutable and may draw several requests at once, until it is closed.
type Pipeline struct {
	Kind     Kind
	Class    string   // of diffusers
	Solver   string   // the scheduler's class in the folder
	Classes  []string // names of classes by number, "" without one; empty where there are no classes
	None     int      // the class that stands for none, -1 if there is none; then guidance is impossible
	Size     int      // the usual width and height of pictures in pixels, 0 if the folder does not say
	Factor   int      // pixels for each of what is drawn on a side: of latents 8, of pixels 1
	Multiple int      // widths and heights are multiples of it
	Params   int64    // numbers in all networks

	folder *folder
	pool   *tensor.Pool
	unet   *net.UNet2D
	cond   *net.UNet2DCondition
	dit    *net.DiT
	codec  *codec
	text   *net.CLIPText
	words  *words
	close  []func()
}

// Open opens a directory. Symbolic links that leave it are refused; see [loader.Root].
func Open(dir string, o Options) (*Pipeline, error) {
	root, fsys, err := loader.Root(dir)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w; give the directory that holds the pipeline's model_index.json", err)
	}
	p, err := OpenFS(fsys, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, err), root.Close())
	}
	p.close = append(p.close, func() { _ = root.Close() }) // it was only read
	return p, nil
}

// OpenFS opens a file system that holds what a directory does.
func OpenFS(fsys fs.FS, o Options) (*Pipeline, error) {
	f, err := openFolder(fsys)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	p := &Pipeline{
		Kind: f.kind(), Class: f.index.class, Solver: f.index.parts["scheduler"].class,
		None: -1, Factor: 1, Multiple: 1, folder: f, pool: o.Pool,
	}
	if err := p.load(o); err != nil {
		p.Close()
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	return p, nil
}

// Close releases the networks. Nothing may be drawn any more.
func (p *Pipeline) Close() error {
	for _, f := range slices.Backward(p.close) {
		f()
	}
	p.close = nil
	return p.folder.close()
}

// load builds the networks, small parts first: what is wrong is then told soon.
func (p *Pipeline) load(o Options) (err error) {
	if _, err := p.scheduler(&Request{}); err != nil {
		return err
	}
	for part := range p.folder.index.parts {
		if p.Kind != Pixels && !(part == "vae" && o.VAE != "") && p.folder.at(part) == "." {
			return fmt.Errorf("%s: found no such directory, which model_index.json names", part)
		}
	}
	if _, ok := p.folder.index.parts["tokenizer"]; ok {
		if p.words, err = openWords(p.folder); err != nil {
			return err
		}
	}
	switch p.Kind {
	case Pixels:
		return p.loadPixels(o)
	case ClassToLatent:
		err = p.loadDiT(o)
	case TextToImage:
		err = p.loadStable(o)
	}
	if err != nil {
		return err
	}
	return p.loadCodec(o)
}

// build opens a part's files and builds its network.
func build[N interface{ Close() }](p *Pipeline, o Options, part string, make func(net.Checkpoint, net.Options) (N, error)) (n N, err error) {
	ck, err := p.folder.checkpoint(part)
	if err != nil {
		return n, err
	}
	defer p.folder.settle(ck)
	n, err = make(ck, p.options(o, part))
	if err != nil {
		return n, fmt.Errorf("%s: %w", part, err)
	}
	p.close = append(p.close, n.Close)
	return n, nil
}

func (p *Pipeline) options(o Options, part string) net.Options {
	n := net.Options{Format: o.Format, Pool: o.Pool, Plain: o.Plain}
	if o.Progress != nil {
		n.Progress = func(done, total int64) { o.Progress(part, done, total) }
	}
	return n
}

func (p *Pipeline) loadPixels(o Options) (err error) {
	if p.unet, err = build(p, o, "unet", net.NewUNet2D); err != nil {
		return err
	}
	if p.unet.In != 3 || p.unet.Out != 3 && p.unet.Out != 6 {
		return fmt.Errorf("unet: found %d channels in and %d out, expected 3 and 3, or 6 with variances", p.unet.In, p.unet.Out)
	}
	p.Size, p.Params = p.unet.SampleSize, p.unet.Params
	if p.unet.Classes == 0 {
		return nil
	}
	if p.None = p.folder.index.null; p.None >= p.unet.Classes {
		return fmt.Errorf("model_index.json: found null_class %d, expected less than the network's %d classes", p.None, p.unet.Classes)
	}
	return p.nameClasses(p.unet.Classes)
}

func (p *Pipeline) loadDiT(o Options) (err error) {
	if p.dit, err = build(p, o, "transformer", net.NewDiT); err != nil {
		return err
	}
	p.None, p.Params, p.Multiple = p.dit.Null, p.dit.Params, p.dit.Patch
	if p.dit.Out != p.dit.In && p.dit.Out != 2*p.dit.In {
		return fmt.Errorf("transformer: found %d channels in and %d out, expected as many, or twice with variances", p.dit.In, p.dit.Out)
	}
	return p.nameClasses(p.dit.Null)
}

// nameClasses names n classes as the folder does. A class may have several names, between commas.
func (p *Pipeline) nameClasses(n int) error {
	p.Classes = make([]string, n)
	for id, label := range p.folder.index.labels {
		if id >= n {
			return fmt.Errorf("model_index.json: found id2label %d, expected less than the network's %d classes", id, n)
		}
		if id != p.None {
			p.Classes[id] = label
		}
	}
	return nil
}

func (p *Pipeline) loadStable(o Options) (err error) {
	if p.text, err = build(p, o, "text_encoder", net.NewCLIPText); err != nil {
		return err
	}
	if p.words != nil {
		if err := p.words.fit(p.text); err != nil {
			return err
		}
	}
	if p.cond, err = build(p, o, "unet", net.NewUNet2DCondition); err != nil {
		return err
	}
	if p.text.Width != p.cond.ContextDim {
		return fmt.Errorf("text_encoder: found a width of %d, expected the network's cross_attention_dim, %d", p.text.Width, p.cond.ContextDim)
	}
	p.Params = p.text.Params + p.cond.Params
	return nil
}

func (p *Pipeline) loadCodec(o Options) (err error) {
	if p.codec, err = openCodec(p, o); err != nil {
		return err
	}
	p.Factor = p.codec.factor
	p.Multiple *= p.Factor
	p.Params += p.codec.params
	side, in, out := 0, 0, 0
	switch p.Kind {
	case ClassToLatent:
		side, in, out = p.dit.SampleSize, p.dit.In, p.dit.In
	case TextToImage:
		side, in, out = p.cond.SampleSize, p.cond.In, p.cond.Out
	}
	p.Size = side * p.Factor
	if out != p.codec.latent || in != out && in != 2*out+1 {
		return fmt.Errorf("found %d channels into the network and %d out of it, expected the autoencoder's %d, or with a mask %d into it", in, out, p.codec.latent, 2*p.codec.latent+1)
	}
	return nil
}

// Painter reports whether the network was made to paint into pictures: requests then need Init and Mask.
func (p *Pipeline) Painter() bool { return p.cond != nil && p.cond.In != p.cond.Out }

// Channels is the number of channels of what is drawn: 3 of pixels, the autoencoder's of latents.
func (p *Pipeline) Channels() int {
	if p.codec == nil {
		return p.unet.In
	}
	return p.codec.latent
}

// FindClass returns the number of a class: of a name that is equal, but for case, or but for a plural's s,
// or of the first that begins so.
func (p *Pipeline) FindClass(name string) (int, error) {
	want := strings.ToLower(strings.TrimSpace(name))
	if want == "" {
		return 0, fmt.Errorf("pipeline: a class without a name")
	}
	for _, match := range []func(label string) bool{
		func(label string) bool { return label == want },
		func(label string) bool { return label != "" && label == strings.TrimSuffix(want, "s") },
		func(label string) bool { return strings.HasPrefix(label, want) },
	} {
		for id, labels := range p.Classes {
			for label := range strings.SplitSeq(strings.ToLower(labels), ",") {
				if match(strings.TrimSpace(label)) {
					return id, nil
				}
			}
		}
	}
	var names []string
	for _, label := range p.Classes {
		if label != "" && len(names) < 20 {
			names = append(names, label)
		}
	}
	if len(names) == 0 {
		return 0, fmt.Errorf("pipeline: class %q: the model names no classes", clip(name))
	}
	return 0, fmt.Errorf("pipeline: class %q: want a number, or one of %s", clip(name), strings.Join(names, ", "))
}
