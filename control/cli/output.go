package cli

import (
	"io"
	"os"
)

// output is the standard output of a command. It remembers the first error, so that no command
// ends well whose data did not get where it should, however the command prints.
//
// Concurrency: as the writer below; err is read when the command has ended.
type output struct {
	w   io.Writer
	err error
}

// Write implements io.Writer. After an error nothing more is tried.
func (o *output) Write(b []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(b)
	o.err = err
	return n, err
}

// below returns what is written to in the end: who draws on a terminal has to know it.
func below(w io.Writer) io.Writer {
	if o, ok := w.(*output); ok {
		return o.w
	}
	return w
}

// terminal says whether a stream is a character device.
func terminal(stream any) bool {
	if o, ok := stream.(*output); ok {
		stream = o.w
	}
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
