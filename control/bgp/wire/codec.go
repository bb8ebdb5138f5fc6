package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Errors of Read, beside those of the reader.
var (
	ErrTooLong = errors.New("message is too long")
	ErrTooFew  = errors.New("message is too short")
	ErrVersion = errors.New("message is of another version")
	ErrKind    = errors.New("message is of an unknown kind")
)

const (
	kindSetup = 1 + iota
	kindSet
	kindReport
)

const (
	lengthSize = 4
	headSize   = 2 // version and kind
)

// Append appends the frame of a *Setup, *Set or *Report to b.
func Append(b []byte, message any) ([]byte, error) {
	kind := kindOf(message)
	if kind == 0 {
		return b, fmt.Errorf("%w: %T", ErrKind, message)
	}
	body, err := json.Marshal(message)
	if err != nil {
		return b, fmt.Errorf("encode message: %w", err)
	}
	n := headSize + len(body)
	if n > MaxMessage {
		return b, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, n, MaxMessage)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(b, Version, kind)
	return append(b, body...), nil
}

func kindOf(message any) byte {
	switch message.(type) {
	case *Setup:
		return kindSetup
	case *Set:
		return kindSet
	case *Report:
		return kindReport
	}
	return 0
}

// Write writes the frame of a *Setup, *Set or *Report in one call.
func Write(w io.Writer, message any) error {
	frame, err := Append(nil, message)
	if err != nil {
		return err
	}
	if _, err := w.Write(frame); err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	return nil
}

// Read reads one frame and returns a *Setup, *Set or *Report. It returns io.EOF itself where the
// stream ends between frames. It takes no more memory than what arrives.
func Read(r io.Reader) (any, error) {
	var head [lengthSize + headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("read message: %w", err)
	}
	n := binary.BigEndian.Uint32(head[:])
	switch {
	case n > MaxMessage:
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, n, MaxMessage)
	case n < headSize:
		return nil, fmt.Errorf("%w: %d bytes", ErrTooFew, n)
	case head[lengthSize] != Version:
		return nil, fmt.Errorf("%w: %d, not %d", ErrVersion, head[lengthSize], Version)
	}
	message := newMessage(head[lengthSize+1])
	if message == nil {
		return nil, fmt.Errorf("%w: %d", ErrKind, head[lengthSize+1])
	}
	var body bytes.Buffer
	if _, err := io.CopyN(&body, r, int64(n)-headSize); err != nil {
		return nil, fmt.Errorf("read message of %d bytes: %w", n, err)
	}
	if err := json.Unmarshal(body.Bytes(), message); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	return message, nil
}

func newMessage(kind byte) any {
	switch kind {
	case kindSetup:
		return &Setup{}
	case kindSet:
		return &Set{}
	case kindReport:
		return &Report{}
	}
	return nil
}
