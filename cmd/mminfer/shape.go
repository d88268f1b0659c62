package main

import (
	"fmt"

	"github.com/mminfer/mminfer/subnet"
)

// shapeFlag is a flag that takes the shape of a subnet.
type shapeFlag struct {
	subnet.Shape
	set bool
}

func (s *shapeFlag) String() string {
	if !s.set {
		return ""
	}
	return s.Shape.String()
}

func (s *shapeFlag) Type() string { return "shape" }

func (s *shapeFlag) Set(text string) (err error) {
	if s.Shape, err = subnet.ParseShape(text); err != nil {
		return fmt.Errorf("expected DEPTHxWIDTH, such as 24x0.75 or 24x7/8")
	}
	s.set = true
	return nil
}
