module github.com/mminfer/mminfer/constrain/testdata

go 1.26.0
