module github.com/mminfer/mminfer/tokenizer/chat/testdata

go 1.26.0
