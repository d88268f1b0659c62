package lint

import (
	"os"
	"slices"
	"testing"
)

// repository loads the tree this package is part of.
func repository(t *testing.T) *Repo {
	r, err := Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRepository holds the repository to every law.
func TestRepository(t *testing.T) {
	r := repository(t)
	for _, law := range Laws() {
		t.Run(law.Name, func(t *testing.T) {
			found := law.Check(r)
			slices.Sort(found)
			for _, f := range found {
				t.Error(f)
			}
		})
	}
}

// TestTable logs the repository's sizes.
func TestTable(t *testing.T) {
	t.Log("lines\n" + Table(repository(t)))
}
