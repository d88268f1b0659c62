module github.com/mminfer/mminfer/tokenizer/testdata

go 1.26.0
