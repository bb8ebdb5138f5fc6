package speaker

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
)

// connFD is where a child finds its end of the connection.
const connFD = 3

// Child runs the speaker as the process that this is, with the connection that it was started
// with, and logs to standard error. It returns when weir has gone, or with what went wrong.
func Child() error {
	// They are for weir, which decides what becomes of the routes; a service manager sends them
	// to every process of the service.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	file := os.NewFile(connFD, "weir")
	conn, err := net.FileConn(file)
	if err != nil {
		return fmt.Errorf("the speaker is started by weir run, not by hand: %w", err)
	}
	defer conn.Close()
	_ = file.Close() // FileConn has a copy
	return Run(context.Background(), conn, log)
}
