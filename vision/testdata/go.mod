module github.com/mminfer/mminfer/vision/testdata

go 1.26.0
