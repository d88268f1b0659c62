// Package cputime measures work on a machine that does other things as well.
package cputime
