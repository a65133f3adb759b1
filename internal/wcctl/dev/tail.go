package dev

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const tailPoll = 200 * time.Millisecond

// TailOptions choose the lines of a Tail.
type TailOptions struct {
	// Last is how many lines from before; Follow goes on with those to come.
	Last   int
	Follow bool
	// Keep chooses lines; nil keeps all.
	Keep func(line []byte) bool
}

// Tail hands the last lines of a file to emit and, when it follows, those to come until ctx ends.
// A file that was set aside is followed by its successor.
func Tail(ctx context.Context, path string, opts TailOptions, emit func(line []byte)) error {
	if opts.Keep != nil {
		all := emit
		emit = func(line []byte) {
			if opts.Keep(line) {
				all(line)
			}
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	defer func() { _ = file.Close() }()
	reader := bufio.NewReader(file)
	kept, rest, err := readLast(reader, opts)
	if err != nil {
		return err
	}
	for _, line := range kept {
		emit(line)
	}
	for opts.Follow && sleep(ctx, tailPoll) {
		if rest, err = drain(reader, rest, emit); err != nil {
			return err
		}
		next, err := successor(path, file)
		if err != nil || next == nil {
			continue // it is being replaced just now, or is the same
		}
		if rest, err = drain(reader, rest, emit); err != nil {
			return errors.Join(err, next.Close())
		}
		_ = file.Close()
		file = next
		reader.Reset(file)
	}
	return nil
}

func readLast(reader *bufio.Reader, opts TailOptions) (kept [][]byte, rest []byte, err error) {
	rest, err = drain(reader, nil, func(line []byte) {
		if opts.Last <= 0 || opts.Keep != nil && !opts.Keep(line) {
			return
		}
		if len(kept) == opts.Last {
			kept = kept[1:]
		}
		kept = append(kept, line)
	})
	return kept, rest, err
}

// drain emits whole lines and returns what stands after the last one.
func drain(reader *bufio.Reader, rest []byte, emit func([]byte)) ([]byte, error) {
	for {
		line, err := reader.ReadBytes('\n')
		rest = append(rest, line...)
		if errors.Is(err, io.EOF) {
			return rest, nil
		}
		if err != nil {
			return rest, fmt.Errorf("reading the log: %w", err)
		}
		emit(rest)
		rest = nil
	}
}

// successor returns the file that now has the path, nil when it is the same.
func successor(path string, file *os.File) (*os.File, error) {
	now, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	then, err := file.Stat()
	if err != nil || os.SameFile(now, then) {
		return nil, err
	}
	return os.Open(path)
}
