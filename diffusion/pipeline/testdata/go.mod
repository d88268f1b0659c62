// The goldens are a module of their own so that a download of the engine leaves them out.
module github.com/mminfer/mminfer/diffusion/pipeline/testdata

go 1.26
