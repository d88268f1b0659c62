package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// subnets checks the shapes of one base in every form.
func (v *verify) subnets(d goldenDir, suite *golden.Suite) (ok bool, err error) {
	f, err := suite.OpenSubnets()
	if err != nil {
		return false, err
	}
	defer f.Close()
	if v.shape.set {
		suite.Cases = slices.DeleteFunc(suite.Cases, func(c *golden.Case) bool {
			s, err := subnet.ParseShape(c.Shape)
			return err == nil && s != v.shape.Shape
		})
		if len(suite.Cases) == 0 {
			return false, fmt.Errorf("no case has the shape %v", v.shape.Shape)
		}
	}
	results, out, err := suite.RunSubnets(f, &tensor.Workspace{Pool: v.pool}, v.quant.Format, v.feed())
	if err != nil {
		return false, err
	}
	var c struct {
		Width int `json:"hidden_size"`
		Vocab int `json:"vocab_size"`
	}
	if err := json.Unmarshal(f.Base.Config(), &c); err != nil {
		return false, err
	}
	v.keep(d, out, c.Width, c.Vocab)
	return v.tell(d, results, formatName(f.Base, v.quant.Format)), nil
}
