package golden

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// Subnets is a suite's base, adapter and strategy.
type Subnets struct {
	*subnet.Family
	Base *loader.Checkpoint
}

// OpenSubnets opens what the cases of a suite of kind subnet are shapes of. Close releases it.
func (s *Suite) OpenSubnets() (*Subnets, error) {
	ck, err := loader.Open(filepath.Join(s.dir, s.Base))
	if err != nil {
		return nil, err
	}
	f := &Subnets{Base: ck}
	if err := f.open(s); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Subnets) open(s *Suite) (err error) {
	path := func(name string) string {
		if name == "" {
			return ""
		}
		return filepath.Join(s.dir, name)
	}
	f.Family, err = subnet.Open(f.Base, path(s.Adapter), path(s.Strategy))
	return err
}

// Close releases the files.
func (f *Subnets) Close() error {
	err := f.Base.Close()
	if f.Family != nil {
		err = errors.Join(err, f.Family.Close())
	}
	return err
}

// RunSubnets computes every case on the model of its shape, in each form: corrections merged into the
// weights where they can be, kept factored, and factored on weights that all shapes share. With Batch
// a case is computed beside itself. The names of cases begin with the form.
func (s *Suite) RunSubnets(f *Subnets, ws *tensor.Workspace, format tensor.Format, opts Options) ([]Result, Output, error) {
	var results []Result
	out := Output{}
	shared := new(subnet.Weights)
	defer shared.Free()
	for _, form := range []struct {
		name string
		opts subnet.Options
	}{{"merged", subnet.Options{}}, {"factored", subnet.Options{Factored: true}}, {"shared", subnet.Options{Factored: true, Weights: shared}}} {
		if form.name == "merged" && f.Adapted() && f.Quantised(format) {
			continue
		}
		for _, c := range s.Cases {
			form.opts.Format, form.opts.Gates = format, c.Gates
			rs, o, err := s.runSubnet(f, c, form.name, form.opts, ws, opts)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %s: %w", form.name, c.Name, err)
			}
			results = append(results, rs...)
			maps.Copy(out, o)
		}
	}
	return results, out, nil
}

// runSubnet computes one case in one form.
func (s *Suite) runSubnet(f *Subnets, c *Case, form string, cut subnet.Options, ws *tensor.Workspace, opts Options) ([]Result, Output, error) {
	shape, err := subnet.ParseShape(c.Shape)
	if err != nil {
		return nil, nil, err
	}
	sub, err := f.Cut(shape, cut)
	if err != nil {
		return nil, nil, err
	}
	m, err := models.New(sub, models.Options{Format: cut.Format, Pool: ws.Pool})
	if err != nil {
		return nil, nil, err
	}
	defer m.Close()
	named := *c
	named.Name = form + " " + c.Name
	one := *s
	one.Cases = []*Case{&named}
	if opts.Batch {
		again := named
		again.Name += " again"
		one.Cases = append(one.Cases, &again)
	}
	results, out, err := one.Run(m, ws, opts)
	return append([]Result{{Case: named.Name, Of: "shape", Note: c.kept(f, sub)}}, results...), out, err
}

// kept says what is wrong with the layers, heads and neurons of a subnet.
func (c *Case) kept(f *Subnets, s *subnet.Subnet) string {
	active := make([]int, f.Layers)
	for _, l := range s.Layers {
		active[l.Index] = 1
		if heads, want := len(l.Heads), c.HeadsKept; want != nil && (len(want) != f.Layers || want[l.Index] != heads) {
			return fmt.Sprintf("layer %d keeps %d heads, want %v", l.Index, heads, want)
		}
		if neurons, want := len(l.Neurons), c.NeuronsKept; want != nil && (len(want) != f.Layers || want[l.Index] != neurons) {
			return fmt.Sprintf("layer %d keeps %d neurons, want %v", l.Index, neurons, want)
		}
	}
	if c.Active != nil && !slices.Equal(active, c.Active) {
		return fmt.Sprintf("layers %v are kept, want %v", active, c.Active)
	}
	return ""
}
