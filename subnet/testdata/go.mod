// The goldens are a module of their own so that a download of the engine leaves them out.
module github.com/mminfer/mminfer/subnet/testdata

go 1.26
